// Systems whose score of a pair cannot be taken apart into sides, such as cross-encoders: they read mention and entity
// together, so they score only the candidates that a Scorer proposes.

import type { FeatureOptions } from '../encoding/features.ts';
import { firstImages, pickSamples, type Samples } from '../encoding/samples.ts';
import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import type { Tensor } from '../engine/tensor.ts';
import { listOf } from './pair-lists.ts';
import type { Candidates } from './retrieval.ts';
import type { Batch, Side } from './scorer.ts';
import type { Found } from './tile.ts';

/** A system that scores pairs as wholes. `Inputs` is what it keeps of samples on the host. */
export interface Reranker<Inputs> {
  readonly name: string;
  readonly device: Device;
  /** Pairs that it scores together, at most. */
  readonly mostPairs: number;
  /** Prepares samples of one side as a Scorer does; all that must wait happens here. */
  prepare(side: Side, samples: Samples, images: readonly number[], features: FeatureOptions): Promise<Inputs>;
  /** Scores [n] of n pairs: row i of the mentions with row i of the entities. Differentiable where the tape records. */
  pairScores(mentions: Batch<Inputs>, entities: Batch<Inputs>): Tensor;
}

/** What is reranked: samples with the images that they number. */
export interface RerankingTask {
  mentions: Samples;
  entities: Samples;
  features: FeatureOptions;
  /** What a Scorer proposed for each mention (`retrieve`), or its best entities. */
  candidates: Candidates;
  /** Each mention's gold entity, where it is known: then it is ranked. */
  gold?: Int32Array;
  /** How many of the best entities to keep of each mention. */
  top: number;
}

/** Mentions whose candidates are prepared together. */
const mentionsAtOnce = 16;

/**
 * Scores each mention's candidates; gives the best of them, best first, and among equals the first of the knowledge base
 * first. Ranks are among the candidates, 1 + #higher + #ties / 2, and N + 1 for a gold entity that is none of them
 * (`ranksAmongAll` makes them ranks among all). Throws EngineError for a score that is not finite.
 */
export async function rerank<Inputs>(
  reranker: Reranker<Inputs>,
  task: RerankingTask,
): Promise<{ ranks: number[]; top: Found[][] }> {
  const { candidates, gold, top } = task;
  const count = task.mentions.images.length;
  const result: { ranks: number[]; top: Found[][] } = { ranks: [], top: [] };
  for (let first = 0; first < count; first += mentionsAtOnce) {
    const mentions = Array.from({ length: Math.min(mentionsAtOnce, count - first) }, (_, i) => first + i);
    const scores = await candidateScores(reranker, task, mentions);
    for (const [i, mention] of mentions.entries()) {
      const found = Array.from(
        listOf(candidates, mention),
        (entity, j): Found => ({ entity, score: scores[i]![j]!, part: null }),
      );
      for (const { entity, score } of found) {
        if (Number.isFinite(score)) continue;
        throw new EngineError(
          `mention ${mention}: its score with entity ${entity} is not finite (${reranker.name})`,
        );
      }
      if (gold) result.ranks.push(rankAmong(found, gold[mention]!));
      result.top.push(found.toSorted((a, b) => b.score - a.score || a.entity - b.entity).slice(0, top));
    }
  }
  return result;
}

function rankAmong(found: readonly Found[], gold: number): number {
  const own = found.find(({ entity }) => entity === gold);
  if (!own) return found.length + 1;
  const higher = found.filter(({ score }) => score > own.score).length;
  const ties = found.filter((other) => other !== own && other.score === own.score).length;
  return 1 + higher + ties / 2;
}

/** Scores of mentions with their candidates, by mention. Each entity is prepared once. */
async function candidateScores<Inputs>(
  reranker: Reranker<Inputs>,
  { mentions, entities, features, candidates }: RerankingTask,
  numbers: readonly number[],
): Promise<Float32Array[]> {
  const lists = numbers.map((mention) => listOf(candidates, mention));
  const own = lists.flatMap((list) => [...list]);
  const mentionOf = lists.flatMap((list, i) => Array.from(list, () => i));
  const distinct = [...new Set(own)];
  const placeOf = new Map(distinct.map((entity, place) => [entity, place]));
  const left = await prepared(reranker, 'mention', pickSamples(mentions, numbers), features);
  const right = await prepared(reranker, 'entity', pickSamples(entities, distinct), features);
  const scores = new Float32Array(own.length);
  for (let first = 0; first < own.length; first += reranker.mostPairs) {
    const pairs = Array.from(
      { length: Math.min(reranker.mostPairs, own.length - first) },
      (_, i) => first + i,
    );
    const read = reranker.device.scope(() =>
      reranker.device.read<'f32'>(
        noGrad(() =>
          reranker.pairScores(
            left(pairs.map((pair) => mentionOf[pair]!)),
            right(pairs.map((pair) => placeOf.get(own[pair]!)!)),
          ),
        ),
      ),
    );
    scores.set(await read, first);
  }
  let begin = 0;
  return lists.map(({ length }) => {
    begin += length;
    return scores.subarray(begin - length, begin);
  });
}

/** Samples as the reranker keeps them: batches of them by row, each with its first image. */
async function prepared<Inputs>(
  reranker: Reranker<Inputs>,
  side: Side,
  samples: Samples,
  features: FeatureOptions,
): Promise<(rows: readonly number[]) => Batch<Inputs>> {
  const { each, distinct } = firstImages(samples);
  const inputs = await reranker.prepare(side, samples, distinct, features);
  return (rows) => ({ inputs, rows, images: rows.map((row) => each[row]!) });
}
