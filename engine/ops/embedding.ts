// Rows of a table by their numbers: token embeddings, and picking rows of activations.

import { record } from '../autograd.ts';
import { linearGrid } from '../device.ts';
import { DtypeError, ShapeError } from '../errors.ts';
import { rowParts } from '../kernels/parts.ts';
import { bytesPerElement, checkOperands, describe, type Tensor } from '../tensor.ts';

/**
 * table [V, d] f32 or f16, ids [...] i32 -> [..., d] f32. An id outside 0 .. V - 1 yields a row of NaN, so
 * that it shows, and no gradient. The gradient of the table is summed in the order of the positions.
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  if (table.dtype !== 'f32' && table.dtype !== 'f16') {
    throw new DtypeError(`embedding: table (${describe(table)}) must be f32 or f16`);
  }
  checkOperands('embedding', { table }, table.dtype);
  checkOperands('embedding', { ids }, 'i32');
  const [vocabulary, d] = table.shape;
  if (table.rank !== 2 || !vocabulary || !d) {
    throw new ShapeError(`embedding: table (${describe(table)}) must have shape [rows, columns]`);
  }
  const { device } = table;
  const y = device.empty([...ids.shape, d], 'f32', 'embedding');
  const { constants, perRow } = rowElements(table);
  for (const { first, count } of rowParts(device, vocabulary, [d * bytesPerElement(table.dtype)])) {
    device.run({
      kernel: 'embedding',
      entry: 'forward',
      constants,
      buffers: { ids, table: table.range(first * d, count * d), y },
      params: {
        n: ids.size,
        d: perRow,
        vocabulary,
        window_first: first,
        window_rows: count,
        nan: Number.NaN,
      },
      grid: linearGrid(ids.size),
      bytes: 8 * y.size,
    });
  }
  return record(y, [table], (dy) => [scatterAdd(table, ids, dy)]);
}

/** How kernels walk through a row: on CPU adapters, where each access costs much, in fours where it divides into them. */
function rowElements({ device, dtype, shape }: Tensor) {
  const d = shape[1]!;
  const inFours = device.isCpu && d % 4 === 0 && dtype === 'f32';
  if (inFours) return { constants: { Element: 'vec4f', Wide: 'vec4f', WIDTH: 8 }, perRow: d / 4 } as const;
  return {
    constants: { Element: dtype === 'f16' ? 'f16' : 'f32', Wide: 'f32', WIDTH: 64 },
    perRow: d,
  } as const;
}

/** dtable [V, d]: dy's rows, added up by id. */
function scatterAdd(table: Tensor, ids: Tensor, dy: Tensor): Tensor {
  const { device } = table;
  const [vocabulary, d] = table.shape as [number, number];
  const n = ids.size;
  const dtable = device.zeros([vocabulary, d], 'f32', 'd embedding');
  const head = device.zeros([vocabulary], 'u32', 'first position by id');
  const next = device.empty([n], 'u32', 'next position with the same id');
  const { constants, perRow } = rowElements(table);
  const params = { n, d: perRow, vocabulary, window_first: 0, window_rows: vocabulary, nan: Number.NaN };
  device.run({
    kernel: 'embedding',
    entry: device.isCpu ? 'link_in_turn' : 'link',
    buffers: { ids, head, next },
    params,
    grid: device.isCpu ? [1, 1, 1] : linearGrid(Math.ceil(n / 64)),
  });
  for (const { first, count } of rowParts(device, vocabulary, [4 * d])) {
    device.run({
      kernel: 'embedding',
      entry: 'backward',
      constants,
      buffers: { ids, head, next, dy, dtable: dtable.range(first * d, count * d) },
      params: { ...params, window_first: first, window_rows: count },
      grid: linearGrid(n),
      flops: dy.size,
      bytes: 8 * dy.size,
    });
  }
  return dtable;
}
