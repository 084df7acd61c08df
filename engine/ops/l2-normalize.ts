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
  const run = (entry: 'forward' | 'backward', buffers: Record<string, Tensor>) => {
    for (const { first, count } of rowParts(device, rows, [4 * n, 4])) {
      const parts = Object.entries(buffers).map(([name, tensor]) => [
        name,
        tensor.range(first * n, count * n),
      ]);
      device.run({
        kernel: 'l2-normalize',
        entry,
        constants: { ...shape.constants, ...shape.elements, KEEP: keep },
        buffers: { ...Object.fromEntries(parts), lengths: keep ? lengths.range(first, count) : lengths },
        params: { rows: count, n: shape.length, least: floor },
        grid: shape.grid(count),
        flops: (entry === 'forward' ? 3 : 5) * count * n,
        bytes: 4 * parts.length * count * n,
      });
    }
  };
  run('forward', { x, y });
  return record(y, [x], (dy) => {
    const dx = device.empty(x.shape, 'f32', 'd l2Normalize');
    run('backward', { y, dy, dx });
    return [dx];
  });
}
