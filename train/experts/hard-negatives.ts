// Entities that are easily taken for a mention's answer: in stage 1 those that CLIP's text embeddings alone would take, in
// stage 2 those that one of the experts ranks high. An addition of ours, off in the paper's presets: in-batch negatives
// are too easy, and homonyms almost never meet in a batch.

import type { Dataset } from '../../data/dataset.ts';
import { foldName } from '../../data/names/name-form.ts';
import { embedsOf } from '../../encoding/features.ts';
import { firstImages } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { topK } from '../../engine/ops/top-k.ts';
import { Random } from '../../engine/random.ts';
import type { Session } from '../../link/session.ts';
import { Expert, type Side, type SideTables } from '../../model/dsmip/expert-model.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { type Prepared, preparedEntities, preparedMentions, someMentions } from '../../ranking/sources.ts';
import type { HardNegatives, hardNegativeOrders } from '../batches.ts';
import type { Hooks } from '../hooks.ts';

/** What a training is told of them. */
export interface HardChoice {
  hardNegatives: number;
  hardNegativesBy: (typeof hardNegativeOrders)[number];
}

/** Entities to draw from for each mention. */
const mostCandidates = 16;
const chunk = 256;

/** By CLIP's text embeddings, for the training mentions in `rows`; null when none are asked for. */
export async function hardCandidates(
  session: Session,
  rows: readonly number[],
  choice: HardChoice,
): Promise<HardNegatives | null> {
  if (choice.hardNegatives === 0) return null;
  const { device, corpus } = session;
  const text = new Expert(
    device,
    'text',
    session.clip,
    { hidden: 1, prompts: { length: 1, depth: 0 } },
    new Random(0),
  );
  const mention = (await text.prepare('mention', corpus.mentions.train, [], session.features)).text!;
  const entity = (await text.prepare('entity', corpus.entities, [], session.features)).text!;
  const E = corpus.entities.tokens.count;
  const d = entity.projection;
  const k = Math.min(E, mostCandidates + 1);
  const candidates: number[][] = corpus.mentions.train.images.map(() => []);
  const table = device.tensor([E, d], entity.embeds, { name: 'entity embeds' });
  for (let first = 0; first < rows.length; first += chunk) {
    const part = rows.slice(first, first + chunk);
    const embeds = embedsOf(mention, part);
    const found = await device.scope(() => {
      const similar = noGrad(() =>
        matmul(device.tensor([part.length, d], embeds), table, { transposeB: true }),
      );
      return device.read<'i32'>(topK(similar, k).indices);
    });
    part.forEach((row, i) => {
      const answer = corpus.gold.train[row]!;
      candidates[row] = [...found.subarray(i * k, (i + 1) * k)].filter((entity) => entity !== answer);
    });
  }
  table.release();
  return negatives(session, candidates, choice);
}

/**
 * By the scores of each expert alone, for the training mentions in `mentionRows`; null when none are asked for. Each expert
 * has a say: a gate that only met what deceives one of them would learn to choose another.
 */
export async function deceptiveCandidates(
  session: Session,
  experts: readonly Expert[],
  tables: readonly Record<Side, SideTables>[],
  mentionRows: readonly number[],
  choice: HardChoice,
  onProgress?: Hooks['onProgress'],
): Promise<HardNegatives | null> {
  if (choice.hardNegatives === 0) return null;
  const { corpus } = session;
  const samples = { mention: corpus.mentions.train, entity: corpus.entities };
  const prepared = (side: Side): Prepared => ({
    lengths: samples[side].tokens.lengths,
    images: firstImages(samples[side]).each,
    hasNoImage: new Uint8Array(samples[side].images.length),
    inputs: new Map(experts.map((expert, i) => [expert, tables[i]![side]])),
  });
  const { systems } = await rankMentions({
    systems: experts,
    mentions: someMentions(preparedMentions(prepared('mention')), mentionRows),
    entities: preparedEntities(prepared('entity')),
    top: mostCandidates + 1,
    onProgress: (done) => onProgress?.({ task: 'looking for hard negatives', done, total: 1 }),
  });
  const candidates: number[][] = corpus.mentions.train.images.map(() => []);
  mentionRows.forEach((row, i) => {
    const found = experts.flatMap(({ name }) => systems[name]!.top[i]!.map(({ entity }) => entity));
    candidates[row] = [...new Set(found)].filter((entity) => entity !== corpus.gold.train[row]);
  });
  return negatives(session, candidates, choice);
}

function negatives(
  { dataset }: Session,
  candidates: readonly (readonly number[])[],
  { hardNegatives: count, hardNegativesBy: by }: HardChoice,
): HardNegatives {
  return { candidates, count, ...(by === 'name' ? { namesakes: namesakes(dataset) } : {}) };
}

/** Of each training mention the entities that have its name, but for its own. */
function namesakes({ entities, splits }: Dataset): number[][] {
  const named = new Map<string, number[]>();
  entities.forEach(({ name }, row) => {
    const folded = foldName(name);
    named.set(folded, [...(named.get(folded) ?? []), row]);
  });
  return splits.train.map(({ word, entity }) =>
    (named.get(foldName(word)) ?? []).filter((row) => row !== entity),
  );
}
