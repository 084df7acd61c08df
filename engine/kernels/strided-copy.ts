// Copies between a contiguous tensor and one that is walked with strides.

import { linearGrid } from '../device.ts';
import type { Shape, Tensor } from '../tensor.ts';
import { collapse, mergeDimensions } from './broadcast.ts';
import { perGroup } from './grid.ts';

/** y[i] = x[offset + strided position of i], y contiguous of the given shape; strides and offset in elements. */
export function gather(x: Tensor, shape: Shape, strides: readonly number[], offset: number): Tensor {
  const merged = mergeDimensions(shape, [[...strides]]);
  return gatherMerged(x, shape, merged.sizes, merged.strides[0]!, offset);
}

/** x repeated along dimensions of size 1, and new leading ones, until it has the given shape, to which it must broadcast. */
export function repeat(x: Tensor, shape: Shape): Tensor {
  const { sizes, strides } = collapse(shape, [x.shape]);
  return gatherMerged(x, shape, sizes, strides[0]!, 0);
}

/** y[offset + strided position of i] = x[i], x contiguous. */
export function scatter(x: Tensor, y: Tensor, strides: readonly number[], offset: number): void {
  const merged = mergeDimensions(x.shape, [[...strides]]);
  copyStrided('scatter', x, y, x.size, merged.sizes, merged.strides[0]!, offset);
}

function gatherMerged(x: Tensor, shape: Shape, sizes: number[], strides: number[], offset: number): Tensor {
  const y = x.device.empty(shape, x.dtype, x.name);
  copyStrided('gather', x, y, y.size, sizes, strides, offset);
  return y;
}

function copyStrided(
  entry: 'gather' | 'scatter',
  x: Tensor,
  y: Tensor,
  n: number,
  sizes: number[],
  strides: number[],
  offset: number,
): void {
  const [, size_1, size_2, size_3] = sizes as [number, number, number, number];
  const [stride_0, stride_1, stride_2, stride_3] = strides as [number, number, number, number];
  x.device.run({
    kernel: 'strided-copy',
    entry,
    constants: { Element: x.dtype },
    buffers: { x, y },
    params: { n, offset, size_1, size_2, size_3, stride_0, stride_1, stride_2, stride_3 },
    grid: linearGrid(Math.ceil(n / perGroup)),
    bytes: 8 * n,
  });
}
