// Sizes of the benchmarks that the peers run as well, and the numbers that all of them start from.

import { normal } from '../tests/support/random.ts';

/** The linear layer of CLIP's text MLP on 16 texts of 77 tokens: [m, k] by [k, n]. */
export const clipMlp = { m: 1232, k: 512, n: 2048 };
export const squareMatmul = { m: 1024, k: 1024, n: 1024 };
/** One row for each query and head of a batch. */
export const softmaxRows = { rows: 9856, columns: 77 };
export const layerNormRows = { rows: 1232, columns: 512 };
export const attentionSizes = { batch: 16, heads: 8, length: 77, headSize: 64 };
/** A pre-LN transformer block with QuickGELU. */
export const block = { batch: 16, length: 77, width: 512, heads: 8, hidden: 2048 };

const { width, hidden } = block;

/** The block's weights, linear ones [out, in]. */
export const blockShapes = {
  'norm1.weight': [width],
  'norm1.bias': [width],
  'q.weight': [width, width],
  'q.bias': [width],
  'k.weight': [width, width],
  'k.bias': [width],
  'v.weight': [width, width],
  'v.bias': [width],
  'o.weight': [width, width],
  'o.bias': [width],
  'norm2.weight': [width],
  'norm2.bias': [width],
  'fc1.weight': [hidden, width],
  'fc1.bias': [hidden],
  'fc2.weight': [width, hidden],
  'fc2.bias': [width],
} as const;
export type BlockWeight = keyof typeof blockShapes;
export const blockWeights = Object.keys(blockShapes) as BlockWeight[];

/** Host values of one of the block's weights: everybody starts from the same. */
export function blockValues(name: BlockWeight): Float32Array<ArrayBuffer> {
  const shape = blockShapes[name];
  const centre = /norm.\.weight/.test(name) ? 1 : 0;
  const count = shape.reduce((product: number, n) => product * n, 1);
  return normal(count, 1 + blockWeights.indexOf(name)).map((x) => centre + 0.03 * x);
}

/** The block's input, [batch, length, width]. */
export function blockInput(): Float32Array<ArrayBuffer> {
  return normal(block.batch * block.length * width, 99);
}

/** Operations of forward and backward: a product each forward, for the weights and for the inputs. */
export function blockFlops(): number {
  const { batch, length } = block;
  const linear = 2 * batch * length * (4 * width * width + 2 * width * hidden);
  const attention = 4 * batch * length * length * width;
  return 3 * linear + 3 * attention;
}
