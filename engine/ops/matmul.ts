// Matrix products with gradients.

import { record } from '../autograd.ts';
import { ShapeError } from '../errors.ts';
import { gemm } from '../kernels/gemm.ts';
import { checkOperands, describe, type Tensor } from '../tensor.ts';

export interface MatmulOptions {
  /** The last two dimensions of a (of b) are stored in the other order. */
  transposeA?: boolean;
  transposeB?: boolean;
}

/**
 * op(a) op(b): [m, k] by [k, n], or batches of them, [batch, m, k] by [batch, k, n]. f32. Throws ShapeError
 * when the inner or the batch dimensions differ.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  checkOperands('matmul', { a, b });
  const { transposeA = false, transposeB = false } = options;
  const batched = a.rank === 3;
  const [batch, aRows, aColumns] = dimensions(a);
  const [bBatch, bRows, bColumns] = dimensions(b);
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [bK, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  if (a.rank !== b.rank || (a.rank !== 2 && a.rank !== 3) || k !== bK || batch !== bBatch) {
    throw new ShapeError(
      `matmul: a (${describe(a)}) and b (${describe(b)}) do not multiply${words(options)}`,
    );
  }
  const c = a.device.empty(batched ? [batch, m, n] : [m, n], 'f32', 'matmul');
  gemm({ a, b, c, m, n, k, transposeA, transposeB, batch });
  return record(c, [a, b], (dc, needs) => [
    needs[0]
      ? transposeA
        ? matmul(b, dc, { transposeA: transposeB, transposeB: true })
        : matmul(dc, b, { transposeB: !transposeB })
      : null,
    needs[1]
      ? transposeB
        ? matmul(dc, a, { transposeA: true, transposeB: transposeA })
        : matmul(a, dc, { transposeA: !transposeA })
      : null,
  ]);
}

function dimensions(x: Tensor): [number, number, number] {
  const [rows, columns] = x.shape.slice(-2);
  return [x.rank === 3 ? x.shape[0]! : 1, rows ?? 1, columns ?? 1];
}

function words({ transposeA, transposeB }: MatmulOptions): string {
  return `${transposeA ? ', a transposed' : ''}${transposeB ? ', b transposed' : ''}`;
}
