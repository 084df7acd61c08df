// Ranks of the right entities among all of a knowledge base, and the metrics made of them. Knows nothing of experts.

import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import type { Tensor } from '../engine/tensor.ts';

/** How often the right entity is among the first k, and mean reciprocal rank, in percent; the mean rank. */
export interface Metrics {
  'hits@1': number;
  'hits@3': number;
  'hits@5': number;
  'hits@10': number;
  'hits@20': number;
  mrr: number;
  mr: number;
}

/** Pairs that are scored at once: mentions x entities. */
const [mentionChunk, entityChunk] = [128, 512];

/**
 * Rank of entity `gold` by one mention's scores of all entities: 1 + #higher + (#ties - 1) / 2, the gold one counted
 * among its ties. Throws EngineError for scores that are not finite.
 */
export function rankOf(scores: Float32Array, gold: number): number {
  const own = scores[gold];
  if (own === undefined) throw new EngineError(`rankOf: entity ${gold} of ${scores.length}`);
  let higher = 0;
  let ties = 0;
  for (const score of scores) {
    if (!Number.isFinite(score)) throw new EngineError(`rankOf: a score is ${score}`);
    if (score > own) higher++;
    else if (score === own) ties++;
  }
  return 1 + higher + (ties - 1) / 2;
}

/** The metrics of at least one rank. */
export function metricsOf(ranks: readonly number[]): Metrics {
  if (ranks.length === 0) throw new EngineError('metricsOf: no ranks');
  const percent = (sum: number) => (100 * sum) / ranks.length;
  const hits = (k: number) => percent(ranks.filter((rank) => rank <= k).length);
  return {
    'hits@1': hits(1),
    'hits@3': hits(3),
    'hits@5': hits(5),
    'hits@10': hits(10),
    'hits@20': hits(20),
    mrr: percent(ranks.reduce((sum, rank) => sum + 1 / rank, 0)),
    mr: ranks.reduce((sum, rank) => sum + rank, 0) / ranks.length,
  };
}

/**
 * Calls `row` with each mention's scores of all entities, by the entity's number. Mentions and entities are lists of all
 * numbers 0 .. n - 1; pairs are scored together in the lists' order, so texts of similar length should be neighbours.
 * `score` makes the scores [m, e] of some mentions and entities; the array given to `row` is used again.
 */
export async function forScoredMentions(
  device: Device,
  mentions: readonly number[],
  entities: readonly number[],
  score: (mentions: readonly number[], entities: readonly number[]) => Tensor,
  row: (mention: number, scores: Float32Array) => void,
): Promise<void> {
  const E = entities.length;
  const scores = new Float32Array(Math.min(mentionChunk, mentions.length) * E);
  for (const rows of chunks(mentions, mentionChunk)) {
    let pending: Promise<void> = Promise.resolve();
    for (const columns of chunks(entities, entityChunk)) {
      const read = device.scope(() => device.read<'f32'>(noGrad(() => score(rows, columns))));
      // The device works on this chunk while the one before is copied.
      await pending;
      pending = read.then((part) => {
        for (let i = 0; i < rows.length; i++) {
          columns.forEach((entity, j) => {
            scores[i * E + entity] = part[i * columns.length + j]!;
          });
        }
      });
    }
    await pending;
    rows.forEach((mention, i) => {
      row(mention, scores.subarray(i * E, (i + 1) * E));
    });
  }
}

function* chunks(list: readonly number[], size: number): Generator<readonly number[]> {
  for (let first = 0; first < list.length; first += size) yield list.slice(first, first + size);
}
