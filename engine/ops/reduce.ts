// Sums and means over axes.

import { record } from '../autograd.ts';
import { ShapeError } from '../errors.ts';
import { scaled } from '../kernels/elementwise.ts';
import { keepAxis, sumAxis } from '../kernels/reduce.ts';
import { repeat } from '../kernels/strided-copy.ts';
import { checkOperands, describe, type Shape, type Tensor } from '../tensor.ts';

/** Sum over one axis (negative counts from the end), or over all elements to a scalar `[]`. f32. */
export function sum(x: Tensor, axis?: number): Tensor {
  return reduce('sum', x, axis, 1);
}

/** Mean over one axis, or over all elements. f32. */
export function mean(x: Tensor, axis?: number): Tensor {
  const n = axis === undefined ? x.size : x.shape.at(axis);
  return reduce('mean', x, axis, 1 / (n ?? 1));
}

function reduce(op: string, x: Tensor, axis: number | undefined, factor: number): Tensor {
  checkOperands(op, { x });
  if (axis === undefined) {
    const flat = x.device.view(x, [x.size]);
    const y = x.device.view(sumAxis(flat, 0, factor), []);
    return record(y, [x], (dy) => [spread(dy, x.shape, factor)]);
  }
  const at = axis < 0 ? axis + x.rank : axis;
  if (!(at >= 0 && at < x.rank)) throw new ShapeError(`${op}: ${describe(x)} has no axis ${axis}`);
  const y = sumAxis(x, at, factor);
  return record(y, [x], (dy) => [spread(keepAxis(dy, x.rank, at, x.shape), x.shape, factor)]);
}

/** The gradient of a scaled sum: the output's gradient, repeated and scaled. */
function spread(dy: Tensor, shape: Shape, factor: number): Tensor {
  return repeat(factor === 1 ? dy : scaled(dy, factor), shape);
}
