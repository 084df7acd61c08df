// A made-up Scorer in a few lines: a score is the dot product of two vectors that a table on the host has. What ranking,
// index, retrieval and evaluation do with it they do with any system.

import type { FeatureOptions } from '../../encoding/features.ts';
import type { Samples } from '../../encoding/samples.ts';
import { add, log, mul, scale, sub } from '../../engine/ops/elementwise.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { concat, slice } from '../../engine/ops/shape.ts';
import { softmax } from '../../engine/ops/softmax.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Shares } from '../../ranking/mixed-probabilities.ts';
import type { AnyGate } from '../../ranking/mixture.ts';
import type { Batch, Scorer, Side } from '../../ranking/scorer.ts';
import type { Prepared } from '../../ranking/sources.ts';
import { device } from './device.ts';

/** Of each side the vectors of all samples, [samples, d]. */
export type Vectors = Readonly<Record<Side, Float32Array>>;

/** Whose vectors, and the row of the first sample: samples are consecutive. */
export interface DenseInputs {
  side: Side;
  first: number;
}

export function denseScorer(name: string, d: number, vectors: Vectors): Scorer<DenseInputs, Tensor, Tensor> {
  const made = (batch: Batch<DenseInputs>) => vectorsOf(vectors, d, batch);
  return {
    name,
    device,
    prepare,
    preparedBytes: () => 0,
    mentionSide: made,
    entitySide: (batch, rounded = (x) => x) => rounded(made(batch)),
    scores: (mentions, entities) => matmul(mentions, entities, { transposeB: true }),
    usesPairMask: false,
    pairSize: () => 1,
    layout: { vector: { columns: d, rows: 'entity', precision: 'float16' } },
    pack: (vector) => ({ parts: { vector }, offsets: {} }),
    unpack: ({ parts }) => parts['vector']!,
    retrievalPart: 'vector',
    retrievalVectors: (_, batch) => made(batch),
  };
}

/** A gate with logits from tables; `entity` of one row: the same for all. `calibration`: scales, then offsets. */
export function tableGate(
  parts: number,
  logits: Vectors,
  seesEntities: boolean,
  calibration = new Float32Array(2 * parts).fill(1, 0, parts),
): AnyGate {
  return {
    device,
    by: seesEntities ? 'pair' : 'mention',
    seesEntities,
    prepare,
    logits(side: Side, batch: Batch<DenseInputs>) {
      const isShared = side === 'entity' && !seesEntities;
      return vectorsOf(
        logits,
        parts,
        isShared ? { inputs: { side, first: 0 }, rows: [0], images: [] } : batch,
      );
    },
    calibration: () => device.tensor([2, parts], calibration),
  };
}

/**
 * Shares that a part's lead (its best score less its third best) and an image decide: log softmax of
 * lead / 4 + image part / 8.
 */
export function leadShares(scales: readonly number[]): Shares {
  const B = scales.length;
  return {
    device,
    best: 3,
    scales: () => device.tensor([B], Float32Array.from(scales)),
    logShares(best, hasImage) {
      const leads = best.map((scores) => sub(slice(scores, 1, 0, 1), slice(scores, 1, 2, 1)));
      const byImage = device.tensor(
        [1, B],
        Float32Array.from({ length: B }, (_, i) => i / 8),
      );
      return log(softmax(add(scale(concat(leads, 1), 1 / 4), mul(hasImage, byImage))));
    },
  };
}

/** log sum exp in float64. */
export function logSumExp(values: readonly number[]): number {
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, x) => sum + Math.exp(x - top), 0));
}

/** Samples of which scorers and gates keep nothing but their numbers. */
export function preparedSide(
  side: Side,
  of: readonly object[],
  lengths: ArrayLike<number>,
  hasNoImage = new Uint8Array(lengths.length),
): Prepared {
  const inputs = new Map(of.map((one) => [one as never, { side, first: 0 }]));
  return { lengths, images: Array.from(lengths, () => 0), hasNoImage, inputs };
}

/** Consecutive numbers as samples: the number is the text. */
export function numberedSamples(numbers: readonly number[], hasNoImage: ArrayLike<number> = []): Samples {
  const count = numbers.length;
  const ones = new Int32Array(count).fill(1);
  return {
    texts: numbers.map((number) => ({ name: `${number}`, context: '' })),
    tokens: { ids: Int32Array.from(numbers), mask: ones, lengths: ones, count, length: 1 },
    images: numbers.map((number) => (hasNoImage[number] === 1 ? [] : [0])),
  };
}

/** Numbered entities for an index builder. */
export function numberedEntities(count: number, hasNoImage: ArrayLike<number> = []) {
  return {
    entities: () => Array.from({ length: count }, (_, i) => i),
    count,
    stamp: async (numbers: readonly number[]) => `${numbers}`,
    encode: (numbers: readonly number[]) => ({
      samples: numberedSamples(numbers, hasNoImage),
      features,
    }),
  };
}

/** Nothing is encoded. */
export const features = { files: [null], cache: '', clipHash: '' } as unknown as FeatureOptions;

async function prepare(side: Side, { tokens }: Samples): Promise<DenseInputs> {
  return { side, first: tokens.ids[0]! };
}

function vectorsOf(
  vectors: Vectors,
  d: number,
  { inputs: { side, first }, rows }: Batch<DenseInputs>,
): Tensor {
  const picked = new Float32Array(rows.length * d);
  for (const [i, row] of rows.entries()) {
    picked.set(vectors[side].subarray((first + row) * d, (first + row + 1) * d), i * d);
  }
  return device.tensor([rows.length, d], picked);
}
