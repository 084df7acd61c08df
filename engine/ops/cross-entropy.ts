// Softmax cross-entropy against one target a row, over all columns or those that are candidates.

import { record } from '../autograd.ts';
import { ShapeError } from '../errors.ts';
import { rowParts } from '../kernels/parts.ts';
import { rowShape } from '../kernels/rows.ts';
import { checkOperands, describe, type Tensor } from '../tensor.ts';
import { mean } from './reduce.ts';

/**
 * The mean over rows of -log softmax(logits)[target], a scalar `[]`. logits [M, N] f32; targets [M] i32,
 * clamped into 0..N-1; excluded [M, N] i32, not 0 where a column is no candidate of the row: it counts as a
 * logit of -infinity and gets no gradient, and a row whose target is excluded has an infinite loss.
 * Throws ShapeError, DtypeError.
 */
export function crossEntropy(logits: Tensor, targets: Tensor, excluded?: Tensor): Tensor {
  checkShapes(logits, targets, excluded);
  const { device } = logits;
  const [rows, n] = logits.shape as [number, number];
  const shape = rowShape(device, n, false);
  const constants = { ...shape.constants, EXCLUDING: excluded !== undefined };
  const rowLoss = device.empty([rows], 'f32', 'crossEntropy of rows');
  const stats = device.empty([rows, 2], 'f32', 'crossEntropy statistics');
  const parts = rowParts(device, rows, [4 * n, 4]).map(({ first, count }) => ({
    first,
    count,
    shared: {
      kernel: 'cross-entropy',
      constants,
      params: { rows: count, n, factor: 1 / rows, infinity: Number.POSITIVE_INFINITY },
      grid: shape.grid(count),
      flops: 5 * count * n,
    } as const,
    operands: () => ({
      x: logits.range(first * n, count * n),
      targets: targets.range(first, count),
      excluded: excluded?.range(first * n, count * n) ?? device.dummy(),
      stats: stats.range(2 * first, 2 * count),
    }),
  }));
  for (const { first, count, shared, operands } of parts) {
    const buffers = { ...operands(), row_loss: rowLoss.range(first, count) };
    device.run({ ...shared, entry: 'forward', buffers, bytes: 4 * count * n });
  }
  return record(mean(rowLoss), [logits], (dloss) => {
    const dx = device.empty(logits.shape, 'f32', 'd crossEntropy');
    for (const { first, count, shared, operands } of parts) {
      const buffers = { ...operands(), dloss, dx: dx.range(first * n, count * n) };
      device.run({ ...shared, entry: 'backward', buffers, bytes: 8 * count * n });
    }
    return [dx];
  });
}

function checkShapes(logits: Tensor, targets: Tensor, excluded: Tensor | undefined): void {
  checkOperands('crossEntropy', { logits });
  checkOperands('crossEntropy', excluded ? { targets, excluded } : { targets }, 'i32');
  const [rows] = logits.shape;
  if (logits.rank !== 2) throw new ShapeError(`crossEntropy: logits (${describe(logits)}) must be [M, N]`);
  if (targets.rank !== 1 || targets.size !== rows) {
    throw new ShapeError(
      `crossEntropy: targets (${describe(targets)}) must be [${rows}] for ${describe(logits)}`,
    );
  }
  if (excluded && `${excluded.shape}` !== `${logits.shape}`) {
    throw new ShapeError(
      `crossEntropy: excluded (${describe(excluded)}) must have the shape of ${describe(logits)}`,
    );
  }
}
