// Rows of a table by number, and the gradient added up by row.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { openDevice } from '../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../engine/errors.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { cast } from '../../../engine/ops/storage/cast.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';
import { generator, normal } from '../../support/random.ts';

/** n ids below `rows`, about half of them repeated. */
function someIds(n: number, rows: number): number[] {
  const next = generator(n + rows);
  return Array.from({ length: n }, () => Math.floor(next() ** 2 * rows));
}

test('values and gradients at odd sizes, ids repeated', async () => {
  for (const [rows, d, n] of [
    [1, 1, 1],
    [7, 3, 5],
    [13, 64, 65],
    [5, 65, 127],
    [101, 63, 40],
    [3, 129, 300],
  ] as const) {
    const numbers = someIds(n, rows);
    const ids = device.tensor([n], numbers, { dtype: 'i32' });
    await checkGradients({
      op: (table) => embedding(table, ids),
      reference: (table) => numbers.flatMap((id) => [...table.subarray(id * d, (id + 1) * d)]),
      shapes: [[rows, d]],
    });
  }
});

test('the shape of the ids leads the shape of the result', () => {
  const ids = device.tensor([2, 3], [0, 1, 2, 2, 1, 0], { dtype: 'i32' });
  assert.equal([...embedding(device.zeros([4, 5]), ids).shape], [2, 3, 5]);
});

test('an id outside the table gives a row of NaN and no gradient', async () => {
  const table = device.parameter([3, 2], [1, 2, 3, 4, 5, 6], 'table');
  const ids = device.tensor([5], [2, -1, 3, 2147483647, 0], { dtype: 'i32' });
  const y = embedding(table, ids);
  const { NaN: nan } = Number;
  assert.equal([...(await y.read())], [5, 6, nan, nan, nan, nan, nan, nan, 1, 2]);
  const gradient = backward(sum(mul(y, device.tensor([5, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])))).get(table)!;
  assert.equal([...(await gradient.read())], [9, 10, 0, 0, 1, 2]);
});

test('NaN and infinities of the gradient reach only their row', async () => {
  const table = device.parameter([3, 1], [1, 1, 1], 'table');
  const y = embedding(table, device.tensor([3], [0, 1, 1], { dtype: 'i32' }));
  const gradient = backward(sum(mul(y, device.tensor([3, 1], [2, Number.NaN, Infinity])))).get(table)!;
  assert.equal([...(await gradient.read())], [2, Number.NaN, 0]);
});

test('a table larger than a binding, and the lists as a GPU makes them, change no bit', async () => {
  const small = await openDevice({ maxBindingBytes: 4096 });
  const gpuLike = await openDevice();
  Object.assign(gpuLike, { isCpu: false });
  const [rows, d, n] = [233, 36, 21];
  const values = normal(rows * d, 1);
  const weights = normal(n * d, 2);
  const numbers = [...someIds(n - 3, rows), -5, 400, rows - 1];
  const results = [];
  for (const on of [device, small, gpuLike]) {
    const table = on.parameter([rows, d], values, 'table');
    const y = embedding(table, on.tensor([n], numbers, { dtype: 'i32' }));
    const gradient = backward(sum(mul(y, on.tensor([n, d], weights)))).get(table)!;
    results.push([[...(await y.read())], [...(await gradient.read())]]);
  }
  assert.equal(results[1], results[0]);
  assert.equal(results[2], results[0]);
  small.destroy();
  gpuLike.destroy();
});

test('a float16 table gives float32 rows', async () => {
  if (!device.hasF16) return;
  const values = normal(7 * 3, 4);
  const table = cast(device.tensor([7, 3], values), 'f16');
  const y = embedding(table, device.tensor([2], [6, 1], { dtype: 'i32' }));
  assert.is(y.dtype, 'f32');
  assertClose(
    (await y.read()) as Float32Array,
    [...values.subarray(18, 21), ...values.subarray(3, 6)],
    1e-3,
    'rows',
  );
});

test('wrong shapes and dtypes are refused', () => {
  const ids = device.tensor([2], [0, 1], { dtype: 'i32' });
  assert.throws(
    () => embedding(device.zeros([4]), ids),
    (e: unknown) => e instanceof ShapeError,
  );
  assert.throws(
    () => embedding(device.zeros([4, 2]), device.zeros([2])),
    (e: unknown) => e instanceof DtypeError,
  );
  assert.throws(
    () => embedding(device.zeros([4, 2], 'u32'), ids),
    (e: unknown) => e instanceof DtypeError,
  );
});

test.run();
