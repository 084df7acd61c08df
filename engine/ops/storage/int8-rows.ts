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

/** Rows in 8 bits on the device, each from a word of its own on. */
export interface Int8Rows {
  /** u32 [R, ceil(width / 4)]; the last word of a row is filled up with zeros. */
  words: Tensor;
  /** f32 [R] */
  scales: Tensor;
}

/** Most numbers of a row of which the panel's part for a lane stays in a processor's first cache. */
const widestPanel = 1024;
const lanes = 8;
/** Rows that a workgroup of the panel takes: so many that loading the queries hardly counts. */
const panelRows = 256;

/**
 * Dot products of queries [M, width] with `count` rows from number `first` on, into the columns of `products` [M, N] from
 * number `at` on. What a query has does not depend on the others. Not differentiable. Throws ShapeError, DtypeError.
 */
export function int8Products(
  queries: Tensor,
  { words, scales }: Int8Rows,
  { first, count, at }: { first: number; count: number; at: number },
  products: Tensor,
): void {
  checkOperands('int8Products', { queries, scales, products });
  checkOperands('int8Products', { words }, 'u32');
  const [M, width] = queries.shape as [number, number];
  const W = Math.ceil(width / 4);
  const stride = products.shape[1]!;
  const fits =
    queries.rank === 2 &&
    `${words.shape}` === `${[scales.size, W]}` &&
    first + count <= scales.size &&
    `${products.shape}` === `${[M, stride]}` &&
    at + count <= stride;
  if (!fits) {
    throw new ShapeError(
      `int8Products: queries (${describe(queries)}), rows ${first} to ${first + count} of words (${describe(words)}) and ` +
        `scales (${describe(scales)}), columns from ${at} on of products (${describe(products)})`,
    );
  }
  const { device } = queries;
  const isPanel = device.isCpu && device.subgroupSize >= lanes && width <= widestPanel;
  const groups = Math.ceil(M / lanes);
  device.run({
    ...(isPanel
      ? { kernel: 'int8-products-panel', constants: { CHUNKS: Math.ceil(W / 32) } }
      : { kernel: 'int8-products', constants: {} }),
    entry: 'int8_products',
    buffers: { queries, words, scales, products },
    params: { mentions: M, first, count, at, stride, width, words: W, run: panelRows },
    grid: isPanel ? linearGrid(groups * Math.ceil(count / panelRows)) : [Math.ceil(count / 64), groups, 1],
    flops: 2 * M * count * width,
    bytes: 4 * count * (W + M),
  });
}
