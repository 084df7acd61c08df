// Rows of float32 numbers stored in 8 bits with a scale a row, as an entity index has them, back to float32.

import { linearGrid } from '../../device.ts';
import { ShapeError } from '../../errors.ts';
import { rowParts } from '../../kernels/parts.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';

const wordsPerGroup = 64;

/**
 * words u32 [ceil(R width / 4)] (the rows' int8 one after the other, four a word), scales f32 [R] -> [R, width] f32,
 * scales[r] q[r, d]; exact but for the product's rounding. Throws ShapeError, DtypeError.
 */
export function unpackInt8Rows(words: Tensor, scales: Tensor, width: number): Tensor {
  checkOperands('unpackInt8Rows', { words }, 'u32');
  checkOperands('unpackInt8Rows', { scales });
  const rows = scales.size;
  if (words.size !== Math.ceil((rows * width) / 4)) {
    throw new ShapeError(
      `unpackInt8Rows: ${describe(words)} does not hold ${rows} rows (${describe(scales)}) of ${width}`,
    );
  }
  const { device } = words;
  const y = device.empty([rows, width], 'f32', words.name);
  for (const { first, count } of rowParts(device, rows, [width, 4, 4 * width])) {
    const n = count * width;
    device.run({
      kernel: 'int8-rows',
      entry: 'unpack',
      buffers: {
        words: words.range((first * width) / 4, Math.ceil(n / 4)),
        scales: scales.range(first, count),
        y: y.range(first * width, n),
      },
      params: { n, width },
      grid: linearGrid(Math.ceil(n / 4 / wordsPerGroup)),
      flops: n,
      bytes: 5 * n,
    });
  }
  return y;
}
