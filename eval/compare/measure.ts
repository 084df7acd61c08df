// Ranks a split by one system and measures what that takes: time, device memory, bytes an entity in an index.

import { firstImages, pickSamples } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import type { Session } from '../../link/session.ts';
import { type PreparedSplit, splitPass } from '../../link/split.ts';
import { storedAs } from '../../ranking/index/format.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { range, someMentions } from '../../ranking/sources.ts';

export interface Measured {
  /** Of each mention's gold entity. */
  ranks: number[];
  /**
   * To encode the whole knowledge base from its texts and decoded pictures, by a part of it, with nothing from a cache; and to
   * rank all mentions of the split against it once it is encoded.
   */
  seconds: { encode: number; rank: number };
  /** On the device while ranking, with all else that is on it. */
  peakBytes: number;
  /** In an index of int8 where a part bears that, by the same part of the knowledge base. */
  bytesPerEntity: number;
}

/** Entities by which the encoding is measured, spread evenly, and mentions that are ranked before the clock starts. */
const sampleSize = 512;
const warmUpMentions = 128;

/** `split` must be prepared for the system. Kernels are compiled and chosen before anything is timed. */
export async function measure(
  session: Session,
  system: AnyScorer,
  split: PreparedSplit,
  onProgress: (part: number) => void,
): Promise<Measured> {
  const { device } = session;
  const { encode, bytesPerEntity } = await measureEntities(session, system);
  const pass = splitPass([system], split);
  const some = range(0, Math.min(warmUpMentions, pass.mentions.count));
  await rankMentions({
    ...pass,
    mentions: someMentions(pass.mentions, some),
    gold: split.gold.subarray(0, some.length),
  });
  device.resetPeak();
  const start = performance.now();
  const { systems } = await rankMentions({ ...pass, onProgress });
  return {
    ranks: systems[system.name]!.ranks,
    seconds: { encode, rank: secondsSince(start) },
    peakBytes: device.counters.peakBytes,
    bytesPerEntity,
  };
}

async function measureEntities(
  { corpus: { entities }, features }: Session,
  system: AnyScorer,
): Promise<{ encode: number; bytesPerEntity: number }> {
  const all = entities.images.length;
  const count = Math.min(sampleSize, all);
  const samples = pickSamples(
    entities,
    Array.from({ length: count }, (_, i) => Math.floor((i * all) / count)),
  );
  const { each, distinct } = firstImages(samples);
  const prepare = () => system.prepare('entity', samples, distinct, { ...features, cache: null });
  await prepare();
  const start = performance.now();
  const inputs = await prepare();
  const encode = (secondsSince(start) * all) / count;
  const bytes = system.device.scope(() =>
    noGrad(() => sideBytes(system, system.entitySide({ inputs, rows: range(0, count), images: each }))),
  );
  return { encode, bytesPerEntity: Math.round(bytes / count) };
}

/** Bytes that entities' sides take in an index; see ranking/index/format.ts. */
function sideBytes(system: AnyScorer, side: unknown): number {
  const { parts, offsets } = system.pack(side);
  const numbers = Object.entries(parts).reduce((sum, [name, tensor]) => {
    const [rows, columns] = tensor.shape as [number, number];
    const type = storedAs(system.layout[name]!, 'int8');
    const row = { F32: 4 * columns, F16: 2 * columns, I8: columns + 2 }[type];
    return sum + rows * row;
  }, 0);
  return Object.values(offsets).reduce((sum, { byteLength }) => sum + byteLength, numbers);
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
