// Shapes under broadcasting, and their reduction to the four dimensions that kernels index.

import { ShapeError } from '../errors.ts';
import { describe, type Shape, type Tensor } from '../tensor.ts';

/** Kernels split an index over this many dimensions. */
const kernelRank = 4;

/** The shape of two operands broadcast against each other (NumPy's rule). Throws ShapeError naming both. */
export function broadcastShape(op: string, a: Tensor, b: Tensor): Shape {
  const rank = Math.max(a.rank, b.rank);
  return Array.from({ length: rank }, (_, i) => {
    const p = a.shape[i - rank + a.rank] ?? 1;
    const q = b.shape[i - rank + b.rank] ?? 1;
    if (p !== q && p !== 1 && q !== 1) {
      throw new ShapeError(`${op}: a (${describe(a)}) and b (${describe(b)}) do not broadcast`);
    }
    return Math.max(p, q);
  });
}

/** Element strides of a contiguous tensor. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/**
 * Merges neighbouring dimensions that all operands walk through alike and pads to four dimensions.
 * `shape` is the result's; operands are contiguous and broadcast to it. Strides are in elements, 0 where
 * an operand repeats.
 */
export function collapse(shape: Shape, operands: readonly Shape[]): { sizes: number[]; strides: number[][] } {
  const walks = operands.map((operand) => {
    const lead = shape.length - operand.length;
    const own = contiguousStrides(operand);
    return shape.map((_, i) => (i < lead || operand[i - lead] === 1 ? 0 : own[i - lead]!));
  });
  return mergeDimensions(shape, walks);
}

/** Merges dimensions of given strides where that keeps every walk, and pads to four with leading ones. */
export function mergeDimensions(
  shape: Shape,
  walks: readonly number[][],
): { sizes: number[]; strides: number[][] } {
  const sizes: number[] = [];
  const strides: number[][] = walks.map(() => []);
  shape.forEach((size, i) => {
    if (size === 1) return;
    const last = sizes.length - 1;
    const mergeable = last >= 0 && walks.every((walk, w) => strides[w]![last] === walk[i]! * size);
    if (mergeable) {
      sizes[last]! *= size;
      walks.forEach((walk, w) => {
        strides[w]![last] = walk[i]!;
      });
    } else {
      sizes.push(size);
      walks.forEach((walk, w) => {
        strides[w]!.push(walk[i]!);
      });
    }
  });
  if (sizes.length > kernelRank)
    throw new ShapeError(`shape [${shape}] needs more than ${kernelRank} index dimensions`);
  while (sizes.length < kernelRank) {
    sizes.unshift(1);
    for (const walk of strides) walk.unshift(0);
  }
  return { sizes, strides };
}
