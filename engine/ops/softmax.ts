// Softmax over the last axis, over all elements or those that a mask names.

import { record } from '../autograd.ts';
import { ShapeError } from '../errors.ts';
import { contiguousStrides, mergeDimensions } from '../kernels/broadcast.ts';
import { rowParts } from '../kernels/parts.ts';
import { rowShape, rowsOf } from '../kernels/rows.ts';
import { checkOperands, describe, type Tensor } from '../tensor.ts';

/**
 * exp(x) / sum exp(x) over the last axis of x [..., n]. f32.
 * `mask`: i32, not 0 where an element takes part; broadcasts to x's shape (NumPy's rule). What takes no part
 * gets 0 and no gradient; a row in which nothing does is all zeros. Throws ShapeError, DtypeError.
 */
export function softmax(x: Tensor, mask?: Tensor): Tensor {
  checkOperands('softmax', { x });
  if (mask) checkOperands('softmax', { mask }, 'i32');
  const { device } = x;
  const { rows, n } = rowsOf('softmax', x);
  const shape = rowShape(device, n, !mask);
  const walk = mask ? maskWalk(x, mask) : noMask;
  const y = device.empty(x.shape, 'f32', 'softmax');
  for (const { first, count } of rowParts(device, rows, [4 * n, 4])) {
    device.run({
      kernel: 'softmax',
      entry: 'forward',
      constants: { ...shape.constants, ...shape.elements, MASKED: mask !== undefined },
      buffers: {
        x: x.range(first * n, count * n),
        mask: mask ?? device.dummy(),
        y: y.range(first * n, count * n),
      },
      params: { ...walk, rows: count, n: shape.length, first_row: first },
      grid: shape.grid(count),
      flops: 5 * count * n,
      bytes: 8 * count * n,
    });
  }
  return record(y, [x], (dy) => {
    const dx = device.empty(x.shape, 'f32', 'd softmax');
    const shape = rowShape(device, n);
    for (const { first, count } of rowParts(device, rows, [4 * n, 4])) {
      device.run({
        kernel: 'softmax',
        entry: 'backward',
        constants: { ...shape.constants, ...shape.elements },
        buffers: {
          y: y.range(first * n, count * n),
          dy: dy.range(first * n, count * n),
          dx: dx.range(first * n, count * n),
        },
        params: { ...noMask, rows: count, n: shape.length, first_row: first },
        grid: shape.grid(count),
        flops: 4 * count * n,
        bytes: 12 * count * n,
      });
    }
    return [dx];
  });
}

const noMask = {
  size_1: 1,
  size_2: 1,
  size_3: 1,
  stride_0: 0,
  stride_1: 0,
  stride_2: 0,
  stride_3: 0,
  step: 0,
};

/** How the mask is walked: strides over the leading dimensions, `step` along the last. */
function maskWalk(x: Tensor, mask: Tensor): typeof noMask {
  const lead = x.rank - mask.rank;
  if (lead < 0 || !mask.shape.every((size, i) => size === 1 || size === x.shape[lead + i])) {
    throw new ShapeError(`softmax: mask (${describe(mask)}) does not broadcast to x (${describe(x)})`);
  }
  const own = contiguousStrides(mask.shape);
  const walk = x.shape.map((_, i) => (i < lead || mask.shape[i - lead] === 1 ? 0 : own[i - lead]!));
  const { sizes, strides } = mergeDimensions(x.shape.slice(0, -1), [walk.slice(0, -1)]);
  const [, size_1, size_2, size_3] = sizes as [number, number, number, number];
  const [stride_0, stride_1, stride_2, stride_3] = strides[0] as [number, number, number, number];
  return { size_1, size_2, size_3, stride_0, stride_1, stride_2, stride_3, step: walk.at(-1)! };
}
