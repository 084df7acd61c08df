// Float32 numbers packed as float16, two a 32-bit word, and back: for storage on adapters without shader-f16 too.

import { willRecord } from '../../autograd.ts';
import { linearGrid } from '../../device.ts';
import { EngineError, ShapeError } from '../../errors.ts';
import { rowParts } from '../../kernels/parts.ts';
import { checkOperands, describe, type Shape, sizeOf, type Tensor } from '../../tensor.ts';

const wordsPerGroup = 64;

/**
 * x [...] f32 -> u32 [ceil(size / 2)], each word two halves, rounded to nearest, ties to even; what is over 65,504 becomes
 * infinite. Throws DtypeError, EngineError where a gradient would have to flow through.
 */
export function packHalves(x: Tensor): Tensor {
  checkOperands('packHalves', { x });
  if (willRecord(x))
    throw new EngineError(`packHalves: ${describe(x)} requires a gradient; it has no backward`);
  const { device } = x;
  const packed = device.empty([Math.ceil(x.size / 2)], 'u32', x.name);
  for (const { first, count } of rowParts(device, packed.size, [8, 4])) {
    const n = Math.min(2 * count, x.size - 2 * first);
    device.run({
      kernel: 'half',
      entry: 'pack',
      buffers: { x: x.range(2 * first, n), packed: packed.range(first, count) },
      params: { n },
      grid: linearGrid(Math.ceil(count / wordsPerGroup)),
      bytes: 6 * n,
    });
  }
  return packed;
}

/** Words of `packHalves` -> f32 of that shape; exact. Throws ShapeError, DtypeError. */
export function unpackHalves(words: Tensor, shape: Shape): Tensor {
  checkOperands('unpackHalves', { words }, 'u32');
  const size = sizeOf(shape);
  if (words.size !== Math.ceil(size / 2)) {
    throw new ShapeError(`unpackHalves: ${describe(words)} does not hold [${shape}]`);
  }
  const { device } = words;
  const y = device.empty(shape, 'f32', words.name);
  for (const { first, count } of rowParts(device, words.size, [8, 4])) {
    const n = Math.min(2 * count, size - 2 * first);
    device.run({
      kernel: 'half',
      entry: 'unpack',
      buffers: { words: words.range(first, count), y: y.range(2 * first, n) },
      params: { n },
      grid: linearGrid(Math.ceil(count / wordsPerGroup)),
      bytes: 6 * n,
    });
  }
  return y;
}
