// The training benchmark: a transformer block, forward and the gradients of all its weights. The loss is the
// mean square of the output, so that its value shows whether everybody computes the same.

import { backward } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import { attention } from '../engine/ops/attention/attention.ts';
import { mul } from '../engine/ops/elementwise.ts';
import { feedForward } from '../engine/ops/feed-forward.ts';
import { layerNorm } from '../engine/ops/layer-norm.ts';
import { linear } from '../engine/ops/linear.ts';
import { mean } from '../engine/ops/reduce.ts';
import type { Tensor } from '../engine/tensor.ts';
import { benchmark } from './benchmark.ts';
import {
  type BlockWeight,
  block,
  blockFlops,
  blockInput,
  blockShapes,
  blockValues,
  blockWeights,
} from './sizes.ts';

type Weights = Record<BlockWeight, Tensor>;

/** Makes the block's input and weights. */
export function blockOperands(device: Device): { x: Tensor; weights: Weights } {
  const weights = Object.fromEntries(
    blockWeights.map((name) => [name, device.parameter(blockShapes[name], blockValues(name), name)]),
  ) as Weights;
  return { x: device.tensor([block.batch, block.length, block.width], blockInput()), weights };
}

/** x -> the loss, a scalar. */
export function blockLoss(x: Tensor, weights: Weights): Tensor {
  const pair = (name: 'norm1' | 'q' | 'k' | 'v' | 'o' | 'norm2' | 'fc1' | 'fc2') => ({
    weight: weights[`${name}.weight`],
    bias: weights[`${name}.bias`],
  });
  const norm = (x: Tensor, { weight, bias }: { weight: Tensor; bias: Tensor }) => layerNorm(x, weight, bias);
  const dense = (x: Tensor, { weight, bias }: { weight: Tensor; bias: Tensor }, residual?: Tensor) =>
    linear(x, weight, bias, residual ? { residual } : {});
  const y = norm(x, pair('norm1'));
  const mixed = attention(dense(y, pair('q')), dense(y, pair('k')), dense(y, pair('v')), {
    heads: block.heads,
  });
  const middle = dense(mixed, pair('o'), x);
  const out = feedForward(norm(middle, pair('norm2')), pair('fc1'), pair('fc2'), middle);
  return mean(mul(out, out));
}

const weightCount = Object.values(blockShapes).reduce((sum, [rows, columns = 1]) => sum + rows * columns, 0);

export const blockBenchmark = benchmark({
  name: 'block-train',
  bound: 'fma',
  flops: blockFlops(),
  // Weights and input read, gradients written.
  bytes: 4 * (2 * weightCount + block.batch * block.length * block.width),
  operands: blockOperands,
  run: ({ x, weights }) => backward(blockLoss(x, weights)),
});
