// Lists of symbols (token ids, bytes) of different lengths as one batch for embedding tables.

import type { Device } from '../../engine/device.ts';
import type { Tensor } from '../../engine/tensor.ts';

/** Lists are padded to a multiple of so many: fewer shapes, fewer kernels to tune. */
const lengthStep = 4;

/**
 * ids and mask [B, L] i32 of B lists; the mask is 0 on padding. A list is padded with its own first symbol (an empty one
 * with 0), not with one symbol for all: its row of a table would get a gradient from all over the batch, one after the other.
 */
export function paddedRows(
  device: Device,
  rows: readonly ArrayLike<number>[],
): { ids: Tensor; mask: Tensor } {
  const longest = Math.max(1, ...rows.map(({ length }) => length));
  const L = Math.ceil(longest / lengthStep) * lengthStep;
  const ids = new Int32Array(rows.length * L);
  const mask = new Int32Array(rows.length * L);
  for (const [i, row] of rows.entries()) {
    ids.fill(row[0] ?? 0, i * L, (i + 1) * L);
    ids.set(row, i * L);
    mask.fill(1, i * L, i * L + row.length);
  }
  const shape = [rows.length, L];
  return {
    ids: device.tensor(shape, ids, { name: 'symbols' }),
    mask: device.tensor(shape, mask, { name: 'mask of symbols' }),
  };
}
