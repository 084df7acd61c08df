// Float16 storage: rounding, odd sizes and what is refused.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, EngineError } from '../../../../engine/errors.ts';
import { cast } from '../../../../engine/ops/storage/cast.ts';
import { device } from '../../../support/device.ts';
import { normal } from '../../../support/random.ts';

const sizes = [1, 2, 3, 127, 255, 256, 257, 1009];

test('to float16 and back keeps what float16 holds, at odd counts', async () => {
  if (!device.hasF16) return;
  for (const n of sizes) {
    // Multiples of 1/8 below 128 are exact in float16.
    const values = normal(n, n).map((v) => Math.round(8 * v) / 8 + 0);
    const half = cast(device.tensor([n], values), 'f16');
    assert.is(half.dtype, 'f16');
    assert.equal([...(await cast(half, 'f32').read())], [...values]);
  }
});

test('the bits are those of IEEE binary16', async () => {
  if (!device.hasF16) return;
  const values = [0, 1, -2, 65504, 0.1, 2 ** -24, Infinity, -Infinity, Number.NaN];
  const bits = [...(await cast(device.tensor([9], values), 'f16').read())];
  assert.equal(bits.slice(0, 8), [0, 0x3c00, 0xc000, 0x7bff, 0x2e66, 1, 0x7c00, 0xfc00]);
  assert.ok((bits[8]! & 0x7c00) === 0x7c00 && (bits[8]! & 0x3ff) !== 0, 'NaN stays NaN');
});

test('tensors larger than a binding are cast in parts', async () => {
  if (!device.hasF16) return;
  const small = await openDevice({ maxBindingBytes: 1024 });
  const values = Float32Array.from({ length: 2001 }, (_, i) => i - 1000);
  const half = cast(small.tensor([2001], values), 'f16');
  assert.equal([...(await cast(half, 'f32').read())], [...values]);
  small.destroy();
});

test('the same dtype is the same tensor; others, gradients and devices without f16 are refused', () => {
  const x = device.zeros([3]);
  assert.is(cast(x, 'f32'), x);
  assert.throws(
    () => cast(device.zeros([3], 'i32'), 'f32'),
    (e: unknown) => e instanceof DtypeError,
  );
  if (device.hasF16) {
    const parameter = device.parameter([1], [1], 'w');
    assert.throws(
      () => cast(parameter, 'f16'),
      (e: unknown) => e instanceof EngineError && /no backward/.test(e.message),
    );
  } else {
    assert.throws(() => cast(x, 'f16'), /shader-f16/);
  }
});

test.run();
