// The vision transformer's way into tokens: images cut into patches, each projected linearly.

import { record } from '../../autograd.ts';
import { linearGrid } from '../../device.ts';
import { ShapeError } from '../../errors.ts';
import { rowParts } from '../../kernels/parts.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';
import { linear } from '../linear.ts';
import { reshape } from '../shape.ts';

/**
 * pixels [B, C, H, W], weight [d, C, p, p] -> [B, N, d], patches from left to right and top to bottom; a
 * border that holds no whole patch is left out. Equal to a convolution of stride p; bias [d], by default none.
 */
export function patchEmbedding(pixels: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [d, channels, p, q] = weight.shape;
  if (weight.rank !== 4 || !d || !channels || !p || p !== q) {
    throw new ShapeError(`patchEmbedding: weight (${describe(weight)}) must have shape [d, channels, p, p]`);
  }
  if (pixels.rank !== 4 || pixels.shape[1] !== channels) {
    throw new ShapeError(
      `patchEmbedding: pixels (${describe(pixels)}) do not suit weight (${describe(weight)})`,
    );
  }
  return linear(patchify(pixels, p), reshape(weight, [d, channels * p * p]), bias);
}

/** pixels [B, C, H, W] -> [B, N, C p p], the patches' elements in the order channel, y, x. */
export function patchify(pixels: Tensor, p: number): Tensor {
  checkOperands('patchify', { pixels });
  const [images, channels, height, width] = pixels.shape;
  if (pixels.rank !== 4 || !images || !channels || !height || !width || Math.min(height, width) < p) {
    throw new ShapeError(
      `patchify: pixels (${describe(pixels)}) must have shape [images, channels, height, width] with ` +
        `room for a patch of ${p} x ${p}`,
    );
  }
  const [rows, columns] = [Math.floor(height / p), Math.floor(width / p)];
  const params = { channels, height, width, rows, columns, size: p };
  const perPatches = rows * columns * channels * p * p;
  const perImage = channels * height * width;
  const { device } = pixels;
  const parts = rowParts(device, images, [4 * perImage, 4 * perPatches]);
  const patches = device.empty([images, rows * columns, channels * p * p], 'f32', 'patches');
  for (const { first, count } of parts) {
    const n = count * perPatches;
    device.run({
      kernel: 'patchify',
      entry: 'forward',
      buffers: {
        pixels: pixels.range(first * perImage, count * perImage),
        patches: patches.range(first * perPatches, n),
      },
      params: { n, ...params },
      grid: linearGrid(Math.ceil(n / 64)),
      bytes: 8 * n,
    });
  }
  return record(patches, [pixels], (dy) => {
    const dx = device.empty(pixels.shape, 'f32', 'd pixels');
    for (const { first, count } of parts) {
      const n = count * perImage;
      device.run({
        kernel: 'patchify',
        entry: 'backward',
        buffers: {
          d_patches: dy.range(first * perPatches, count * perPatches),
          d_pixels: dx.range(first * perImage, n),
        },
        params: { n, ...params },
        grid: linearGrid(Math.ceil(n / 64)),
        bytes: 8 * n,
      });
    }
    return [dx];
  });
}
