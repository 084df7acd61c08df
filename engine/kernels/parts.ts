// How a tensor larger than a binding is worked on in parts of whole rows (a row: what the op never splits).

import type { Device } from '../device.ts';

/** Rows first .. first + count - 1. */
export interface RowPart {
  first: number;
  count: number;
}

/**
 * Splits `rows` rows into as few parts as fit into bindings. `bytesPerRow` lists the bytes of one row in each
 * buffer that is bound in parts; every part starts where a binding may start. `temporaryBytesPerRow` is for a
 * buffer that holds one part at a time. Where even the smallest such part does not fit, the dispatcher
 * refuses it with a LimitError.
 */
export function rowParts(
  device: Device,
  rows: number,
  bytesPerRow: readonly number[],
  temporaryBytesPerRow = 0,
): RowPart[] {
  const fitting = Math.floor(device.maxBindingBytes / Math.max(...bytesPerRow, temporaryBytesPerRow));
  if (rows <= fitting) return [{ first: 0, count: rows }];
  // A part of this many rows, or a multiple, ends on an aligned byte in every buffer.
  const step = Math.max(...bytesPerRow.map((bytes) => alignedRows(bytes, device.bindingAlignment)));
  const count = Math.max(step, Math.floor(fitting / step) * step);
  const parts: RowPart[] = [];
  for (let first = 0; first < rows; first += count)
    parts.push({ first, count: Math.min(count, rows - first) });
  return parts;
}

/** Fewest rows that end on an aligned byte: a power of two, so the most of several buffers suits all. */
function alignedRows(bytes: number, alignment: number): number {
  let rows = 1;
  while ((rows * bytes) % alignment !== 0) rows *= 2;
  return rows;
}
