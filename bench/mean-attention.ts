// Benchmarks of mean attention without gradients: the op that training uses and the one for scoring, on the
// same sequences, and the latter at the widths of the paper and of the embedded default.

import type { Device } from '../engine/device.ts';
import { meanAttention } from '../engine/ops/attention/mean-attention.ts';
import { raggedMeanAttention } from '../engine/ops/attention/ragged-mean-attention.ts';
import { reshape } from '../engine/ops/shape.ts';
import type { Shape } from '../engine/tensor.ts';
import { type Benchmark, benchmark, random } from './benchmark.ts';

interface Sizes {
  entities: number;
  rows: number;
  mentions: number;
  keys: number;
  width: number;
}

const paper: Sizes = { entities: 512, rows: 26, mentions: 32, keys: 24, width: 96 };
const embedded: Sizes = { entities: 1024, rows: 18, mentions: 64, keys: 20, width: 32 };

export const meanAttentionBenchmarks: Benchmark[] = [
  benchmark({
    name: 'mean-attention',
    ...work(paper),
    operands: (device) => operands(device, paper),
    run: ({ q, k, queryMask, keyMask }) => meanAttention(q, k, queryMask, keyMask),
  }),
  ragged('ragged-mean-attention', paper),
  ragged('ragged-mean-attention-narrow', embedded),
];

function ragged(name: string, sizes: Sizes): Benchmark {
  const { entities, rows, width } = sizes;
  return benchmark({
    name,
    ...work(sizes),
    operands: (device) => {
      const { q, k, queryMask, keyMask } = operands(device, sizes);
      const first = device.tensor(
        [entities + 1],
        Int32Array.from({ length: entities + 1 }, (_, e) => e * rows),
      );
      return { q: reshape(q, [entities * rows, width]), padded: q, queryMask, k, keyMask, first };
    },
    run: ({ q, first, k, keyMask }) => raggedMeanAttention(q, first, k, keyMask),
  });
}

/** All tokens are real. */
function operands(device: Device, { entities, rows, mentions, keys, width }: Sizes) {
  const ones = (shape: Shape) => device.tensor(shape, new Int32Array(shape[0]! * shape[1]!).fill(1));
  return {
    q: random(device, entities, rows, width),
    k: random(device, mentions, keys, width),
    queryMask: ones([entities, rows]),
    keyMask: ones([mentions, keys]),
  };
}

/** Operations of the products, and what must be read and written. */
function work({ entities, rows, mentions, keys, width }: Sizes) {
  return {
    bound: 'fma' as const,
    pairs: mentions * entities,
    flops: 2 * entities * rows * mentions * keys * width,
    bytes: 4 * (entities * rows * width + mentions * keys * width + mentions * entities * keys),
  };
}
