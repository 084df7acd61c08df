// Rows in 8 bits: every value of every place in a word, widths that end within words, tensors larger than a binding.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Device } from '../../../../engine/device.ts';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../../engine/errors.ts';
import { type Int8Rows, int8Products, unpackInt8Rows } from '../../../../engine/ops/storage/int8-rows.ts';
import { device } from '../../../support/device.ts';
import { normal } from '../../../support/random.ts';

/** All 256 values in turn, in words. */
function operands(on: Device, rows: number, width: number) {
  const bytes = new Int8Array(4 * Math.ceil((rows * width) / 4));
  for (let i = 0; i < rows * width; i++) bytes[i] = (37 * i) & 255;
  const scales = normal(rows, rows);
  return {
    words: on.tensor([bytes.length / 4], new Uint32Array(bytes.buffer)),
    scales: on.tensor([rows], scales),
    expected: Float32Array.from(
      { length: rows * width },
      (_, i) => bytes[i]! * scales[Math.floor(i / width)]!,
    ),
  };
}

for (const [rows, width] of [
  [1, 1],
  [3, 1],
  [2, 7],
  [5, 96],
  [131, 33],
] as const) {
  test(`${rows} rows of ${width}`, async () => {
    const { words, scales, expected } = operands(device, rows, width);
    const y = unpackInt8Rows(words, scales, width);
    assert.equal(y.shape, [rows, width]);
    assert.equal([...(await device.read<'f32'>(y))], [...expected]);
  });
}

test('a tensor larger than a binding goes in parts', async () => {
  const small = await openDevice({ maxBindingBytes: 16_384 });
  const { words, scales, expected } = operands(small, 1300, 12);
  assert.equal([...(await small.read<'f32'>(unpackInt8Rows(words, scales, 12)))], [...expected]);
  small.destroy();
});

test('what does not fit is refused', () => {
  const [words, scales] = [device.zeros([4], 'u32'), device.zeros([2])];
  assert.throws(
    () => unpackInt8Rows(words, scales, 9),
    (e: Error) => e instanceof ShapeError && /\[4\].*2 rows.* of 9/.test(e.message),
  );
  assert.throws(
    () => unpackInt8Rows(device.zeros([4]), scales, 8),
    (e: Error) => e instanceof DtypeError,
  );
  assert.throws(
    () => unpackInt8Rows(words, device.zeros([2], 'i32'), 8),
    (e: Error) => e instanceof DtypeError,
  );
});

/** Rows of which each begins with a word, and their products with queries in float64. */
function products(M: number, R: number, width: number) {
  const W = Math.ceil(width / 4);
  const bytes = new Int8Array(4 * W * R);
  for (let r = 0; r < R; r++)
    for (let d = 0; d < width; d++) bytes[4 * W * r + d] = (37 * (r * width + d)) & 255;
  const [scales, queries] = [normal(R, R), normal(M * width, M)];
  const rows: Int8Rows = {
    words: device.tensor([R, W], new Uint32Array(bytes.buffer)),
    scales: device.tensor([R], scales),
  };
  const expected = (m: number, r: number) => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += queries[m * width + d]! * bytes[4 * W * r + d]!;
    return scales[r]! * sum;
  };
  return { rows, queries: device.tensor([M, width], queries), expected };
}

/** The kernel for CPU adapters, where this is one, and the one for all devices. */
const asCpu = device.isCpu ? [true, false] : [false];

for (const isCpu of asCpu) {
  for (const [M, R, width, first, count, at] of [
    [1, 1, 1, 0, 1, 0],
    [3, 9, 7, 2, 5, 3],
    [8, 300, 128, 0, 300, 0],
    [9, 300, 132, 17, 270, 1],
    [17, 70, 512, 60, 10, 4],
    [2, 33, 1023, 0, 33, 0],
    [2, 33, 1030, 0, 33, 0],
  ] as const) {
    test(`products of ${M} queries with ${count} of ${R} rows of ${width}${isCpu ? ', on a CPU' : ''}`, async () => {
      const { rows, queries, expected } = products(M, R, width);
      const N = at + count + 2;
      const all = device.tensor([M, N], new Float32Array(M * N).fill(7));
      const { isCpu: before } = device;
      Object.assign(device, { isCpu });
      int8Products(queries, rows, { first, count, at }, all);
      Object.assign(device, { isCpu: before });
      const found = await device.read<'f32'>(all);
      for (let m = 0; m < M; m++) {
        for (let n = 0; n < N; n++) {
          const r = n - at;
          const own = found[m * N + n]!;
          if (r < 0 || r >= count) assert.is(own, 7, 'other columns stay');
          else {
            const value = expected(m, first + r);
            assert.ok(Math.abs(own - value) <= 1e-5 * width * 128, `${m} ${r}: ${own}, ${value}`);
          }
        }
      }
    });
  }

  test(`what a query has does not depend on the others${isCpu ? ', on a CPU' : ''}`, async () => {
    const { rows, queries } = products(19, 40, 96);
    const { isCpu: before } = device;
    Object.assign(device, { isCpu });
    const all = device.zeros([19, 40]);
    int8Products(queries, rows, { first: 0, count: 40, at: 0 }, all);
    const alone = device.zeros([1, 40]);
    const third = device.tensor([1, 96], (await device.read<'f32'>(queries)).slice(13 * 96, 14 * 96));
    int8Products(third, rows, { first: 0, count: 40, at: 0 }, alone);
    Object.assign(device, { isCpu: before });
    const together = await device.read<'f32'>(all);
    assert.equal([...(await device.read<'f32'>(alone))], [...together.slice(13 * 40, 14 * 40)]);
  });
}

test('a query that is not finite has products that are not, and its neighbours have theirs', async () => {
  const { rows, queries, expected } = products(2, 20, 16);
  const values = await device.read<'f32'>(queries);
  values[3] = Number.NaN;
  const all = device.zeros([2, 20]);
  int8Products(device.tensor([2, 16], values), rows, { first: 0, count: 20, at: 0 }, all);
  const found = await device.read<'f32'>(all);
  assert.ok(found.subarray(0, 20).every(Number.isNaN));
  for (let r = 0; r < 20; r++) assert.ok(Math.abs(found[20 + r]! - expected(1, r)) < 0.02);
});

test('rows, columns and widths that do not fit are refused', () => {
  const { rows, queries } = products(2, 20, 16);
  const all = device.zeros([2, 20]);
  const refused = (own: Int8Rows, of: typeof queries, first: number, count: number, at: number) =>
    assert.throws(
      () => int8Products(of, own, { first, count, at }, all),
      (e: Error) => e instanceof ShapeError && /^int8Products: queries/.test(e.message),
    );
  refused(rows, queries, 1, 20, 0);
  refused(rows, queries, 0, 20, 1);
  refused(rows, device.zeros([2, 20]), 0, 20, 0);
  refused(rows, device.zeros([3, 16]), 0, 20, 0);
  refused({ ...rows, scales: device.zeros([21]) }, queries, 0, 20, 0);
});

test.run();
