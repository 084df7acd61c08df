// Rows in 8 bits: how far off a number may be, and what has no scale.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fromInt8Rows, toInt8Rows } from '../../../ranking/index/int8-rows.ts';
import { f16ToF32 } from '../../../weights/half.ts';
import { normal } from '../../support/random.ts';

function back(rows: Float32Array, width: number) {
  const { values, scales } = toInt8Rows(rows, width);
  const into = new Float32Array(rows.length);
  fromInt8Rows(values, f16ToF32(scales), width, into);
  return { into, scales: f16ToF32(scales), values };
}

test('a number is off by at most half its row’s scale, which is 1/127 of the largest', () => {
  for (const size of [1e-3, 1, 1e4]) {
    const [count, width] = [50, 13];
    const rows = normal(count * width, 1).map((x) => size * x);
    const { into, scales } = back(rows, width);
    rows.forEach((x, i) => {
      const row = Math.floor(i / width);
      const top = Math.max(...rows.subarray(row * width, (row + 1) * width).map(Math.abs));
      const scale = scales[row]!;
      // A half is right to one part in 2,048, below 2^-14 to 2^-24.
      assert.ok(scale * 127 >= top && scale <= (top / 127) * (1 + 2 ** -10) + 2 ** -24, `${scale} ${top}`);
      assert.ok(Math.abs(into[i]! - x) <= scale * 0.50001, `${x} became ${into[i]}`);
    });
  }
});

test('the largest number of a row takes all of the range', () => {
  const { values } = back(Float32Array.of(1, -0.5, 0, -3, 3, 1.5), 3);
  assert.equal([...values], [127, -63, 0, -127, 127, 63]);
});

test('rows of zeros, and rows of one', () => {
  assert.equal([...back(new Float32Array(6), 3).into], [0, 0, 0, 0, 0, 0]);
  const { into } = back(Float32Array.of(5, -1e-9, 0), 1);
  assert.ok(Math.abs(into[0]! - 5) < 0.01);
  assert.is(into[2], 0);
});

test('what is not finite, or too large for a half of scale, has an infinite scale', () => {
  for (const x of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e7]) {
    const { scales } = toInt8Rows(Float32Array.of(1, 2, x, 3), 2);
    const [first, second] = f16ToF32(scales);
    assert.ok(Number.isFinite(first!));
    assert.is(second, Number.POSITIVE_INFINITY);
  }
});

test.run();
