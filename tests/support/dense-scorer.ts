// A made-up Scorer in a few lines: a score is the dot product of two vectors that a table on the host has. What ranking,
// index, retrieval and evaluation do with it they do with any system.

import { matmul } from '../../engine/ops/matmul.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { AnyGate } from '../../ranking/mixture.ts';
import type { Scorer, Side } from '../../ranking/scorer.ts';
import type { Prepared } from '../../ranking/sources.ts';
import { device } from './device.ts';

/** Of each side the vectors of all samples, [samples, d]. */
export type Vectors = Readonly<Record<Side, Float32Array>>;

export function denseScorer(name: string, d: number, vectors: Vectors): Scorer<Side, Tensor, Tensor> {
  const made = ({ inputs, rows }: { inputs: Side; rows: readonly number[] }) =>
    device.tensor([rows.length, d], pickRows(vectors[inputs], rows, d));
  return {
    name,
    device,
    prepare: async (side) => side,
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
    seesEntities,
    prepare: async (side: Side) => side,
    logits(side: Side, { rows }: { rows: readonly number[] }) {
      const own = side === 'entity' && !seesEntities ? [0] : rows;
      return device.tensor([own.length, parts], pickRows(logits[side], own, parts));
    },
    calibration: () => device.tensor([2, parts], calibration),
  };
}

/** Samples of which scorers and gates keep nothing but the side. */
export function preparedSide(
  side: Side,
  of: readonly object[],
  lengths: ArrayLike<number>,
  hasNoImage = new Uint8Array(lengths.length),
): Prepared {
  const inputs = new Map(of.map((one) => [one as never, side]));
  return { lengths, images: Array.from(lengths, () => 0), hasNoImage, inputs };
}

function pickRows(data: Float32Array, rows: readonly number[], d: number): Float32Array<ArrayBuffer> {
  const picked = new Float32Array(rows.length * d);
  for (const [i, row] of rows.entries()) picked.set(data.subarray(row * d, (row + 1) * d), i * d);
  return picked;
}

/**
 * Numbered entities for an index builder. Scorers here look their vectors up by row, so a chunk's entities must be those of
 * the first rows on: `prepare` is told which they are.
 */
export function madeUpEntities(count: number) {
  return { entities: () => Array.from({ length: count }, (_, i) => i), count };
}
