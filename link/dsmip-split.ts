// DSMIP on one split: every mention against the whole knowledge base, and how often the gate picks which expert.

import type { Split } from '../data/dataset.ts';
import { firstImage } from '../encoding/samples.ts';
import type { Dsmip } from '../model/dsmip/dsmip-model.ts';
import type { GateShares } from '../ranking/gate-shares.ts';
import { type Metrics, metricsOf } from '../ranking/metrics.ts';
import { type PassResult, rankMentions, type ScoringPass } from '../ranking/scoring-pass.ts';
import { range } from '../ranking/sources.ts';
import type { System } from '../ranking/systems.ts';
import type { Session } from './session.ts';
import { type SplitTables, splitSources, withoutImage } from './split.ts';

/** Percent of pairs by the expert that the gate picked for them; no field for no pairs. */
export type Picked = Record<string, number>;

/** Of all pairs, of those whose mention has no image, of those whose entity has none. */
export interface PickedBy {
  overall: Picked;
  mentionWithoutImage: Picked;
  entityWithoutImage: Picked;
}

export interface DsmipResult {
  metrics: Metrics;
  ranks: number[];
  picked: PickedBy;
}

/** Rows of the gate's features that are on the device at once. */
const shareChunk = 512;

/** What ranks a split's mentions by DSMIP as it is now. */
export async function dsmipPass(
  session: Session,
  dsmip: Dsmip,
  split: Split,
  tables: readonly SplitTables[],
): Promise<ScoringPass> {
  const { experts } = dsmip;
  const shares = {
    mention: await gateShares(session, dsmip, split, 'mention'),
    entity: await gateShares(session, dsmip, split, 'entity'),
  };
  return {
    device: session.device,
    kinds: experts.map(({ kind }) => kind),
    ...splitSources(session, experts, split, tables, shares),
    systems: [await dsmipSystem(dsmip)],
    golds: session.corpus.answers[split],
  };
}

/** DSMIP among the systems of a pass. */
export async function dsmipSystem(dsmip: Dsmip): Promise<System> {
  return { name: 'dsmip', calibration: await dsmip.calibration() };
}

/** Scores with the expert that the gate thinks best of, without noise and dropout. */
export async function evaluateDsmip(
  session: Session,
  dsmip: Dsmip,
  split: Split,
  tables: readonly SplitTables[],
): Promise<DsmipResult> {
  const pass = await dsmipPass(session, dsmip, split, tables);
  const result = await rankMentions(pass);
  const { ranks } = result.systems['dsmip']!;
  return { metrics: metricsOf(ranks), ranks, picked: pickedBy(session.corpus, split, pass.kinds, result) };
}

/** Each mention's or entity's share of the gate's choice. */
export async function gateShares(
  { device, corpus }: Session,
  dsmip: Dsmip,
  split: Split,
  side: 'mention' | 'entity',
): Promise<GateShares> {
  const samples = side === 'mention' ? corpus.mentions[split] : corpus.entities;
  const experts = dsmip.experts.length;
  const isShared = side === 'entity' && dsmip.by === 'mention';
  const n = isShared ? 1 : samples.images.length;
  const values = new Float32Array(n * experts);
  for (let first = 0; first < n; first += shareChunk) {
    const rows = range(first, Math.min(shareChunk, n - first));
    const images = rows.map((row) => firstImage(samples, row));
    const read = device.scope(() => device.read<'f32'>(dsmip.share(side, { rows, images }, split)));
    values.set(await read, first * experts);
  }
  return { experts, values, isShared };
}

/** What a pass counted, in percent. */
export function pickedBy(
  corpus: Session['corpus'],
  split: Split,
  kinds: readonly string[],
  { picked }: PassResult,
): PickedBy {
  const isImageless = withoutImage(corpus.mentions[split].images);
  const each = 2 * kinds.length;
  const sum = (part: 0 | 1, counts: (mention: number) => boolean) =>
    kinds.map((_, expert) => {
      let total = 0;
      for (let mention = 0; mention < isImageless.length; mention++) {
        if (counts(mention)) total += picked[mention * each + part * kinds.length + expert]!;
      }
      return total;
    });
  return {
    overall: percents(
      kinds,
      sum(0, () => true),
    ),
    mentionWithoutImage: percents(
      kinds,
      sum(0, (mention) => isImageless[mention] === 1),
    ),
    entityWithoutImage: percents(
      kinds,
      sum(1, () => true),
    ),
  };
}

/** Counts by name as percent; no field for no counts. */
export function percents(kinds: readonly string[], counts: readonly number[]): Picked {
  const total = counts.reduce((sum, n) => sum + n, 0);
  return total === 0 ? {} : Object.fromEntries(kinds.map((kind, i) => [kind, (100 * counts[i]!) / total]));
}
