// Scaling of vectors to length 1.

import { record, willRecord } from '../autograd.ts';
import { rowParts } from '../kernels/parts.ts';
import { rowShape, rowsOf } from '../kernels/rows.ts';
import { checkOperands, type Tensor } from '../tensor.ts';

/** Shorter vectors are divided by this instead of their length. */
const floor = 1e-12;

/**
 * x / max(|x|, 1e-12) over the last axis of x [..., n]. f32. As torch.nn.functional.normalize.
 * Throws ShapeError, DtypeError.
 */
export function l2Normalize(x: Tensor): Tensor {
  checkOperands('l2Normalize', { x });
  const { device } = x;
  const { rows, n } = rowsOf('l2Normalize', x);
  const shape = rowShape(device, n);
  const keep = willRecord(x);
  const y = device.empty(x.shape, 'f32', 'l2Normalize');
  const lengths = keep ? device.empty([rows], 'f32', 'l2Normalize lengths') : device.dummy();
  const parts = rowParts(device, rows, [4 * n, 4]).map(({ first, count }) => ({
    of: (tensor: Tensor) => tensor.range(first * n, count * n),
    lengths: () => (keep ? lengths.range(first, count) : lengths),
    elements: count * n,
    shared: {
      kernel: 'l2-normalize',
      constants: { ...shape.constants, ...shape.elements, KEEP: keep },
      params: { rows: count, n: shape.length, least: floor },
      grid: shape.grid(count),
    } as const,
  }));
  for (const { of, lengths, elements, shared } of parts) {
    const buffers = { x: of(x), y: of(y), lengths: lengths() };
    device.run({ ...shared, entry: 'forward', buffers, flops: 3 * elements, bytes: 8 * elements });
  }
  return record(y, [x], (dy) => {
    const dx = device.empty(x.shape, 'f32', 'd l2Normalize');
    for (const { of, lengths, elements, shared } of parts) {
      const buffers = { y: of(y), dy: of(dy), dx: of(dx), lengths: lengths() };
      device.run({ ...shared, entry: 'backward', buffers, flops: 5 * elements, bytes: 12 * elements });
    }
    return [dx];
  });
}
