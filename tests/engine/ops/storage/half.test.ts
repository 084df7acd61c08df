// Halves in words: every half survives, and numbers round as IEEE 754 has it.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, EngineError, ShapeError } from '../../../../engine/errors.ts';
import { packHalves, unpackHalves } from '../../../../engine/ops/storage/half.ts';
import { f16ToF32, f32ToF16 } from '../../../../weights/half.ts';
import { device } from '../../../support/device.ts';
import { normal } from '../../../support/random.ts';

const same = (a: number, b: number) => Object.is(a, b) || a === b;

test('every half is unpacked to its value and packed to itself', async () => {
  const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const words = device.tensor([32_768], new Uint32Array(bits.slice().buffer));
  const values = unpackHalves(words, [256, 256]);
  const expected = f16ToF32(bits);
  const found = await device.read<'f32'>(values);
  assert.ok(found.every((x, i) => same(x, expected[i]!)));
  const packed = new Uint16Array((await device.read<'u32'>(packHalves(values))).buffer);
  const isNan = (half: number) => (half & 0x7fff) > 0x7c00;
  assert.ok(packed.every((half, i) => half === i || (isNan(half) && isNan(i))));
});

test('numbers round to the nearest half, ties to even, large ones to infinity; odd counts too', async () => {
  for (const n of [1, 2, 7, 1001]) {
    const x = normal(n, n).map((value, i) => value * 10 ** ((i % 13) - 8));
    x.set(
      [65_519.99, 65_520, -1e9, 2 ** -25, 2 ** -25 + 2 ** -40, 1 + 2 ** -11, 1 + 3 * 2 ** -11].slice(0, n),
    );
    const words = packHalves(device.tensor([n], x));
    const expected = f32ToF16(x);
    assert.equal([...new Uint16Array((await device.read<'u32'>(words)).buffer, 0, n)], [...expected]);
    const back = await device.read<'f32'>(unpackHalves(words, [n]));
    const values = f16ToF32(expected);
    assert.ok(back.every((value, i) => same(value, values[i]!)));
  }
});

test('a tensor larger than a binding goes in parts', async () => {
  const small = await openDevice({ maxBindingBytes: 8192 });
  const x = normal(9001, 4);
  const y = await small.read<'f32'>(unpackHalves(packHalves(small.tensor([9001], x)), [9001]));
  const expected = f16ToF32(f32ToF16(x));
  assert.ok(y.every((value, i) => value === expected[i]));
  small.destroy();
});

test('what does not fit is refused', () => {
  const words = device.zeros([4], 'u32');
  assert.throws(
    () => unpackHalves(words, [3, 3]),
    (e: Error) => e instanceof ShapeError,
  );
  assert.throws(
    () => unpackHalves(device.zeros([4]), [8]),
    (e: Error) => e instanceof DtypeError,
  );
  assert.throws(
    () => packHalves(device.parameter([2], [1, 2], 'p')),
    (e: Error) => e instanceof EngineError && /no backward/.test(e.message),
  );
});

test.run();
