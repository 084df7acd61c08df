// Ops that move elements without changing them: reshape, transpose, slice, concat, broadcastTo.

import { record } from '../autograd.ts';
import { DtypeError, ShapeError } from '../errors.ts';
import { contiguousStrides } from '../kernels/broadcast.ts';
import { sumTo } from '../kernels/reduce.ts';
import { gather, repeat, scatter } from '../kernels/strided-copy.ts';
import { checkShape, describe, type Shape, sizeOf, type Tensor } from '../tensor.ts';

/** The same elements under another shape; no copy. One dimension may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = -sizeOf(shape);
  const full = shape.includes(-1) ? shape.map((n) => (n === -1 ? x.size / known : n)) : shape;
  checkShape(full, `reshape of ${describe(x)} to [${shape}]`);
  if (sizeOf(full) !== x.size) throw new ShapeError(`reshape: ${describe(x)} cannot become [${shape}]`);
  return record(x.device.view(x, full), [x], (dy) => [x.device.view(dy, x.shape)]);
}

/** Reorders dimensions: dimension i of the result is dimension axes[i] of x. */
export function transpose(x: Tensor, axes: readonly number[]): Tensor {
  if (
    axes.length !== x.rank ||
    new Set(axes).size !== x.rank ||
    !axes.every((axis) => axis >= 0 && axis < x.rank)
  ) {
    throw new ShapeError(`transpose: [${axes}] does not order the axes of ${describe(x)}`);
  }
  const strides = contiguousStrides(x.shape);
  const y = gather(
    x,
    axes.map((axis) => x.shape[axis]!),
    axes.map((axis) => strides[axis]!),
    0,
  );
  return record(y, [x], (dy) => [
    transpose(
      dy,
      axes.map((_, i) => axes.indexOf(i)),
    ),
  ]);
}

/** Elements first..first+count-1 of one axis. */
export function slice(x: Tensor, axis: number, first: number, count: number): Tensor {
  const length = x.shape[axis];
  if (length === undefined || first < 0 || count < 1 || first + count > length) {
    throw new ShapeError(
      `slice: ${describe(x)} has no elements ${first} to ${first + count - 1} on axis ${axis}`,
    );
  }
  const strides = contiguousStrides(x.shape);
  const y = gather(
    x,
    x.shape.map((n, i) => (i === axis ? count : n)),
    strides,
    first * strides[axis]!,
  );
  return record(y, [x], (dy) => {
    const dx = x.device.zeros(x.shape, x.dtype, 'd slice');
    scatter(dy, dx, strides, first * strides[axis]!);
    return [dx];
  });
}

/** Joins tensors along one axis; the other dimensions must agree. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const head = parts[0];
  if (!head) throw new ShapeError('concat: expected at least one tensor');
  for (const part of parts) {
    const fits = part.rank === head.rank && part.shape.every((n, i) => i === axis || n === head.shape[i]);
    if (!fits || axis < 0 || axis >= head.rank) {
      throw new ShapeError(`concat: ${describe(part)} does not join ${describe(head)} along axis ${axis}`);
    }
    if (part.dtype !== head.dtype) throw new DtypeError(`concat: ${describe(part)} must be ${head.dtype}`);
  }
  const length = parts.reduce((total, part) => total + part.shape[axis]!, 0);
  const y = head.device.empty(
    head.shape.map((n, i) => (i === axis ? length : n)),
    head.dtype,
    'concat',
  );
  const strides = contiguousStrides(y.shape);
  let first = 0;
  const starts = parts.map((part) => {
    const start = first;
    scatter(part, y, strides, start * strides[axis]!);
    first += part.shape[axis]!;
    return start;
  });
  return record(y, parts, (dy, needs) =>
    parts.map((part, i) => (needs[i] ? slice(dy, axis, starts[i]!, part.shape[axis]!) : null)),
  );
}

/** Repeats x along dimensions of size 1, and new leading ones, until it has the given shape. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  const lead = shape.length - x.rank;
  if (lead < 0 || !x.shape.every((n, i) => n === 1 || n === shape[lead + i])) {
    throw new ShapeError(`broadcastTo: ${describe(x)} does not broadcast to [${shape}]`);
  }
  return record(repeat(x, shape), [x], (dy) => [sumTo(dy, x.shape)]);
}
