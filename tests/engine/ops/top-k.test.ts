// The largest of rows against sorting on the host, with ties and NaN.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../engine/device.ts';
import { DtypeError, EngineError, ShapeError } from '../../../engine/errors.ts';
import { argmax, topK } from '../../../engine/ops/top-k.ts';
import { device } from '../../support/device.ts';
import { generator, normal } from '../../support/random.ts';

/** Indices of a row, largest first, NaN before all, the lower index first among equals. */
function ranking(row: Float32Array): number[] {
  const rank = (v: number) => (Number.isNaN(v) ? Number.POSITIVE_INFINITY : Math.min(v, Number.MAX_VALUE));
  return Array.from(row.keys()).sort((i, j) => {
    const [a, b] = [rank(row[i]!), rank(row[j]!)];
    return a === b ? i - j : b > a ? 1 : -1;
  });
}

async function check(
  shape: readonly number[],
  k: number,
  x: Float32Array<ArrayBuffer>,
  on = device,
): Promise<void> {
  const n = shape.at(-1)!;
  const { values, indices } = topK(on.tensor(shape, x), k);
  assert.equal([...values.shape], [...shape.slice(0, -1), k]);
  assert.equal([...indices.shape], [...shape.slice(0, -1), k]);
  assert.is(indices.dtype, 'i32');
  const [foundValues, foundIndices] = [await values.read(), await indices.read()];
  for (let row = 0; row < x.length / n; row++) {
    const numbers = x.subarray(row * n, (row + 1) * n);
    const expected = ranking(numbers).slice(0, k);
    assert.equal(
      [...foundIndices.subarray(row * k, (row + 1) * k)],
      expected,
      `indices of [${shape}], k ${k}`,
    );
    assert.equal(
      [...foundValues.subarray(row * k, (row + 1) * k)],
      expected.map((i) => numbers[i]!),
    );
  }
}

test('the k largest in order, at odd sizes', async () => {
  for (const [shape, k] of [
    [[1], 1],
    [[3, 5], 5],
    [[2, 3, 65], 7],
    [[5, 127], 127],
    [[7, 1023], 16],
    [[1, 1025], 128],
    [[3, 4099], 128],
    [[2, 100_003], 20],
    [[1, 100_003], 128],
  ] as const) {
    await check(
      shape,
      k,
      normal(
        shape.reduce((a: number, b) => a * b, 1),
        k,
      ),
    );
  }
});

test('ties go to the lower index, across chunks too', async () => {
  const next = generator(5);
  await check(
    [4, 3001],
    40,
    Float32Array.from({ length: 4 * 3001 }, () => Math.floor(3 * next())),
  );
  await check(
    [1, 5000],
    128,
    new Float32Array(5000).map((_, i) => (i % 2 ? 0 : -0)),
  );
});

test('rows in rising and falling order', async () => {
  const n = 20_001;
  await check(
    [1, n],
    100,
    Float32Array.from({ length: n }, (_, i) => i),
  );
  await check(
    [1, n],
    100,
    Float32Array.from({ length: n }, (_, i) => -i),
  );
});

test('NaN is the largest, then infinity; minus infinity is a number', async () => {
  const x = new Float32Array(2048).fill(-Infinity);
  x[100] = Infinity;
  x[2000] = Number.NaN;
  x[7] = Number.NaN;
  x[50] = 3.4e38;
  // NaN with its sign set.
  new Uint32Array(x.buffer)[1500] = 0xffc00001;
  const { indices } = topK(device.tensor([2048], x), 7);
  assert.equal([...(await indices.read())], [7, 1500, 2000, 100, 50, 0, 1]);
  assert.equal([...(await argmax(device.tensor([2, 1024], x)).read())], [7, 476]);
});

test('chunks as on a GPU, and rows in parts, select the same', async () => {
  const gpuLike = await openDevice();
  Object.assign(gpuLike, { isCpu: false });
  const small = await openDevice({ maxBindingBytes: 16_384 });
  for (const on of [gpuLike, small]) {
    await check([64, 160], 3, normal(64 * 160, 1), on);
    await check([9, 1024], 33, normal(9 * 1024, 2), on);
    on.destroy();
  }
});

test('argmax drops the last axis', async () => {
  const y = argmax(device.tensor([2, 2, 3], [1, 3, 3, -1, -2, -3, 0, 0, 1, 5, 4, 3]));
  assert.equal([...y.shape], [2, 2]);
  assert.is(y.dtype, 'i32');
  assert.equal([...(await y.read())], [1, 0, 2, 0]);
  assert.equal([...(await argmax(device.tensor([3], [1, 2, 0])).read())], [1]);
});

test('wrong operands are refused, and gradients of values', () => {
  const refused = (kind: typeof EngineError, run: () => unknown) =>
    assert.throws(run, (e: unknown) => e instanceof kind);
  for (const k of [0, 4, 1.5]) refused(ShapeError, () => topK(device.zeros([2, 3]), k));
  refused(ShapeError, () => argmax(device.zeros([])));
  refused(DtypeError, () => argmax(device.zeros([3], 'i32')));
  refused(EngineError, () => topK(device.parameter([2], [1, 2], 'p'), 1));
});

test.run();
