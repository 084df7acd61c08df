// Rows in 8 bits: every value of every place in a word, widths that end within words, tensors larger than a binding.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Device } from '../../../../engine/device.ts';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../../engine/errors.ts';
import { unpackInt8Rows } from '../../../../engine/ops/storage/int8-rows.ts';
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

test.run();
