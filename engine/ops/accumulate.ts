// The three sums that the tape itself needs. Not differentiable.

import { linearGrid } from '../device.ts';
import type { Tensor } from '../tensor.ts';
import { perGroup } from './grid.ts';

/** target += source; same number of elements, f32. */
export function addInto(target: Tensor, source: Tensor): void {
  const params = { n: target.size, ...noStrides };
  const grid = linearGrid(Math.ceil(target.size / perGroup));
  target.device.run({
    kernel: 'elementwise-binary',
    entry: 'add_into',
    buffers: { b: source, y: target },
    params,
    grid,
    flops: target.size,
    bytes: 12 * target.size,
  });
}

/** a + b as a new tensor of a's shape; same number of elements, f32. */
export function sum2(a: Tensor, b: Tensor): Tensor {
  const y = a.device.empty(a.shape, 'f32', a.name);
  a.device.copy(a, y);
  addInto(y, b);
  return y;
}

/** A tensor of ones in the shape of another. */
export function onesLike(like: Tensor): Tensor {
  const y = like.device.empty(like.shape, 'f32', 'ones');
  // 0 * x + 1 would keep a NaN of x, so the ones come from zeros.
  const zeros = like.device.zeros(like.shape);
  const params = { n: y.size, alpha: 0, beta: 1 };
  const grid = linearGrid(Math.ceil(y.size / perGroup));
  like.device.run({ kernel: 'elementwise-unary', entry: 'forward', buffers: { x: zeros, y }, params, grid });
  return y;
}

const noStrides = {
  size_1: 1,
  size_2: 1,
  size_3: 1,
  a_0: 0,
  a_1: 0,
  a_2: 0,
  a_3: 0,
  b_0: 0,
  b_1: 0,
  b_2: 0,
  b_3: 0,
};
