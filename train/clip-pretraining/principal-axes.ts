// The small linear algebra of pretraining: principal axes and ridge regression. Sums over rows are products on the device;
// what is left, matrices of a few hundred rows, is solved on the host in float64.

import { EigenvalueDecomposition, Matrix, solve } from 'ml-matrix';
import type { Device } from '../../engine/device.ts';
import { matmul } from '../../engine/ops/matmul.ts';

/** Rows [n, width] of numbers. */
export interface Rows {
  values: Float32Array<ArrayBuffer>;
  width: number;
}

/** Rows that go to the device at a time. */
const chunkRows = 8192;

/** [rows, columns]: 1 where row and column are the same. */
export function identity(rows: number, columns: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: rows * columns }, (_, i) =>
    Number(Math.floor(i / columns) === i % columns),
  );
}

/** The mean of rows. */
export function meanOf({ values, width }: Rows): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(width);
  for (let i = 0; i < values.length; i += width) {
    for (let j = 0; j < width; j++) sums[j]! += values[i + j]!;
  }
  return Float32Array.from(sums, (sum) => (sum * width) / values.length);
}

/** Some of the rows, one after the other. */
export function pickRows({ values, width }: Rows, rows: readonly number[]): Float32Array<ArrayBuffer> {
  const picked = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    picked.set(values.subarray(row * width, (row + 1) * width), i * width);
  });
  return picked;
}

/** Rows less `mean`, a copy. */
export function centred({ values, width }: Rows, mean: Float32Array): Rows {
  return { values: values.map((value, i) => value - mean[i % width]!), width };
}

/**
 * The first `count` principal axes [count, width] of rows that are centred, those of most variance first, each of length 1,
 * its largest number positive; and the part of the variance that they hold.
 */
export async function principalAxes(
  device: Device,
  rows: Rows,
  count: number,
): Promise<{ axes: Float32Array<ArrayBuffer>; explained: number }> {
  const { width } = rows;
  const covariance = await gram(device, rows, rows);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(covariance, {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  const axes = new Float32Array(count * width);
  order.slice(0, count).forEach((column, row) => {
    const axis = eigenvectorMatrix.getColumn(column);
    const largest = axis.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    axes.set(
      axis.map((value) => (largest < 0 ? -value : value)),
      row * width,
    );
  });
  const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const held = sumOf(order.slice(0, count).map((column) => realEigenvalues[column]!));
  return { axes, explained: held / sumOf(realEigenvalues) };
}

/** rows axes^T: rows [n, width] on axes [count, width], as [n, count]. */
export async function projected(device: Device, rows: Rows, axes: Rows): Promise<Rows> {
  const { width } = rows;
  const n = rows.values.length / width;
  const count = axes.values.length / width;
  const values = new Float32Array(n * count);
  for (let first = 0; first < n; first += chunkRows) {
    const some = Math.min(chunkRows, n - first);
    const chunk = rows.values.slice(first * width, (first + some) * width);
    const read = device.scope(() =>
      device.read<'f32'>(
        matmul(device.tensor([some, width], chunk), device.tensor([count, width], axes.values), {
          transposeB: true,
        }),
      ),
    );
    values.set(await read, first * count);
  }
  return { values, width: count };
}

/** Rows divided by their length. */
export function unitRows({ values, width }: Rows): Rows {
  const scaled = Float32Array.from(values);
  for (let first = 0; first < scaled.length; first += width) {
    const row = scaled.subarray(first, first + width);
    const length = Math.max(1e-12, Math.hypot(...row));
    for (let j = 0; j < width; j++) row[j]! /= length;
  }
  return { values: scaled, width };
}

/**
 * Ridge regression of y [n, m] on x [n, k] and a constant: weight [m, k], which minimises
 * |y - x weight^T - bias|^2 + penalty (|weight|^2 + |bias|^2). The bias is not returned.
 */
export async function ridge(
  device: Device,
  x: Rows,
  y: Rows,
  penalty: number,
): Promise<Float32Array<ArrayBuffer>> {
  const k = x.width;
  const count = x.values.length / k;
  const withOnes = new Float32Array(count * (k + 1)).fill(1);
  for (let i = 0; i < count; i++) withOnes.set(x.values.subarray(i * k, (i + 1) * k), i * (k + 1));
  const inputs = { values: withOnes, width: k + 1 };
  const normal = await gram(device, inputs, inputs);
  normal.add(Matrix.eye(k + 1).mul(penalty));
  const solution = solve(normal, await gram(device, inputs, y)); // [k + 1, m]
  return Float32Array.from(
    solution
      .subMatrix(0, k - 1, 0, y.width - 1)
      .transpose()
      .to1DArray(),
  );
}

/** a^T b [a.width, b.width] of rows that belong together, the sums of chunks added in float64. */
async function gram(device: Device, a: Rows, b: Rows): Promise<Matrix> {
  const count = a.values.length / a.width;
  const total = Matrix.zeros(a.width, b.width);
  for (let first = 0; first < count; first += chunkRows) {
    const rows = Math.min(chunkRows, count - first);
    const chunk = ({ values, width }: Rows) =>
      device.tensor([rows, width], values.slice(first * width, (first + rows) * width));
    const sums = await device.scope(() => matmul(chunk(a), chunk(b), { transposeA: true }).read());
    total.add(Matrix.from1DArray(a.width, b.width, Array.from(sums)));
  }
  return total;
}
