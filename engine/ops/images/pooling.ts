// Pooling of images, for frozen networks: forward only.

import { willRecord } from '../../autograd.ts';
import { linearGrid } from '../../device.ts';
import { EngineError, ShapeError } from '../../errors.ts';
import { rowParts } from '../../kernels/parts.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';

/**
 * x [B, C, H, W] -> [B, C, H / 2, W / 2], rounded down: the largest of each 2 x 2, NaN if one of them is.
 * Throws EngineError where a gradient would have to flow through.
 */
export function maxPool2x2(x: Tensor): Tensor {
  checkImages('maxPool2x2', x);
  const [height, width] = [x.shape[2]!, x.shape[3]!];
  if (height < 2 || width < 2) throw new ShapeError(`maxPool2x2: x (${describe(x)}) is smaller than 2 x 2`);
  return pool('max_2x2', x, Math.floor(height / 2), Math.floor(width / 2));
}

/**
 * x [B, C, H, W] -> [B, C, size, size]: means over size x size areas that cover x, overlapping where x is
 * smaller or does not divide, as PyTorch's adaptive_avg_pool2d. Throws EngineError where a gradient would
 * have to flow through.
 */
export function adaptiveAveragePool(x: Tensor, size: number): Tensor {
  checkImages('adaptiveAveragePool', x);
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new ShapeError(`adaptiveAveragePool: size must be a positive integer, got ${size}`);
  }
  return pool('adaptive_average', x, size, size);
}

function checkImages(op: string, x: Tensor): void {
  checkOperands(op, { x });
  if (x.rank !== 4) {
    throw new ShapeError(`${op}: x (${describe(x)}) must have shape [images, channels, height, width]`);
  }
  if (willRecord(x))
    throw new EngineError(`${op}: ${describe(x)} requires a gradient; ${op} has no backward`);
}

function pool(entry: 'max_2x2' | 'adaptive_average', x: Tensor, rows: number, columns: number): Tensor {
  const { device } = x;
  const [images, channels, height, width] = x.shape as [number, number, number, number];
  const y = device.empty([images, channels, rows, columns], 'f32', 'pool');
  const [from, to] = [height * width, rows * columns];
  for (const { first, count } of rowParts(device, images * channels, [4 * from, 4 * to])) {
    const lines = count * rows;
    device.run({
      kernel: 'pooling',
      entry,
      buffers: { x: x.range(first * from, count * from), y: y.range(first * to, count * to) },
      params: { lines, height, width, rows, columns },
      grid: linearGrid(lines),
      flops: count * from,
      bytes: 4 * count * (from + to),
    });
  }
  return y;
}
