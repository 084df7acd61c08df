// One epoch's batches: the mentions in a random order, each with its entity, and of each entity one of its images.

import { noImage, type Samples } from '../encoding/samples.ts';
import type { Side } from '../ranking/scorer.ts';
import { ConfigError } from './config/check.ts';
import { RandomStream } from './random-stream.ts';

/** Rows of a batch and the image drawn for each; entities beyond the mentions are further negatives. */
export interface Batch {
  mentions: number[];
  mentionImages: number[];
  entities: number[];
  entityImages: number[];
}

/** Which of the hard negatives are taken first: any, or those that have the mention's name. */
export const hardNegativeOrders = ['similarity', 'name'] as const;

/** For each row of the mentions entities that are easily taken for its answer, and how many of them to add. */
export interface HardNegatives {
  candidates: readonly (readonly number[])[];
  /** Entities of the mention's name, taken before the others. */
  namesakes?: readonly (readonly number[])[];
  count: number;
}

export interface BatchOptions {
  /** Mentions a batch. */
  size: number;
  /** Mentions an epoch, drawn anew for each; 0 or more than there are: all. Default 0. */
  mentions?: number;
  hard?: HardNegatives;
  /** Probability of a sample being taken as one without an image. */
  imageDropout?: Readonly<Record<Side, number>>;
}

/** The batches of an epoch; a last one of a single mention, which has nothing to be told from, is left out. */
export function epochBatches(
  rows: readonly number[],
  mentions: Samples,
  answers: Int32Array,
  entities: Samples,
  { size, mentions: most = 0, hard, imageDropout }: BatchOptions,
  draws: RandomStream,
): Batch[] {
  const order = draws.shuffled(rows).slice(0, countOf(rows.length, most));
  const batches: Batch[] = [];
  for (let i = 0; i < order.length; i += size) {
    const part = order.slice(i, i + size);
    if (part.length < 2) continue;
    const gold = part.map((row) => answers[row]!);
    const harder = hard ? part.flatMap((row) => drawNegatives(hard, row, draws)) : [];
    const columns = [...gold, ...harder];
    batches.push({
      mentions: part,
      mentionImages: part.map((row) => drawImage(mentions, row, draws, imageDropout?.mention)),
      entities: columns,
      entityImages: columns.map((row) => drawImage(entities, row, draws, imageDropout?.entity)),
    });
  }
  return batches;
}

/** How many of n mentions are meant by at most `most`, 0 for all. */
export function countOf(n: number, most: number): number {
  return most === 0 ? n : Math.min(n, most);
}

/** How many batches `epochBatches` makes of n mentions. Throws ConfigError for none. */
export function batchesPerEpoch(n: number, size: number): number {
  const batches = Math.ceil(n / size) - (n % size === 1 ? 1 : 0);
  if (batches <= 0) {
    const field = 'training.trainFraction';
    throw new ConfigError([field], `${n} training mentions are left by ${field}: expected at least 2`);
  }
  return batches;
}

/**
 * Takes a part of the rows, less than 1, away for stage 2, which learns nothing from mentions that the experts know by
 * heart. Both stages get the same halves for the same rows.
 */
export function holdOut(rows: readonly number[], part: number): { kept: number[]; held: number[] } {
  const held = new Set(new RandomStream(0).shuffled(rows).slice(0, Math.round(part * rows.length)));
  return { kept: rows.filter((row) => !held.has(row)), held: [...held].sort((a, b) => a - b) };
}

/** A part of 0 .. n - 1, at least one, always the same for a seed. */
export function fractionOf(n: number, fraction: number, draws: RandomStream): readonly number[] {
  const all = Array.from({ length: n }, (_, i) => i);
  return fraction >= 1 ? all : someOf(all, Math.max(1, Math.round(fraction * n)), draws);
}

/** At most so many of the rows by chance, in their order; all for 0. */
export function someOf(rows: readonly number[], most: number, draws: RandomStream): readonly number[] {
  if (countOf(rows.length, most) === rows.length) return rows;
  return draws
    .shuffled(rows)
    .slice(0, most)
    .sort((a, b) => a - b);
}

function drawNegatives(
  { candidates, namesakes, count }: HardNegatives,
  row: number,
  draws: RandomStream,
): number[] {
  const first = draws.shuffled(namesakes?.[row] ?? []);
  const others = draws.shuffled(candidates[row]!).filter((entity) => !first.includes(entity));
  return [...first, ...others].slice(0, count);
}

/** One of the row's images; number 0, which stands in for a missing one, where it has none or it is dropped. */
function drawImage({ images }: Samples, row: number, draws: RandomStream, dropout = 0): number {
  const own = images[row]!;
  if (own.length === 0 || (dropout > 0 && draws.uniform() < dropout)) return noImage;
  return own.length === 1 ? own[0]! : draws.pick(own);
}
