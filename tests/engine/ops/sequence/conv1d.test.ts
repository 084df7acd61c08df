// Convolution over time against float64 at several widths and lengths, shorter than the kernel too.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../../engine/autograd.ts';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../../engine/errors.ts';
import { mul } from '../../../../engine/ops/elementwise.ts';
import { sum } from '../../../../engine/ops/reduce.ts';
import { conv1d } from '../../../../engine/ops/sequence/conv1d.ts';
import { device } from '../../../support/device.ts';
import { checkGradients } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

interface Case {
  batch: number;
  length: number;
  inputs: number;
  outputs: number;
  taps: number;
}

/** PyTorch's conv1d with padding floor(k / 2), its first steps. */
function reference(x: Float64Array, weight: Float64Array, bias: Float64Array, c: Case): Float64Array {
  const { length, inputs, outputs, taps } = c;
  return Float64Array.from({ length: c.batch * length * outputs }, (_, i) => {
    const [row, out] = [Math.floor(i / outputs), i % outputs];
    const t = row % length;
    let total = bias[out]!;
    for (let j = 0; j < taps; j++) {
      const seen = t + j - Math.floor(taps / 2);
      if (seen < 0 || seen >= length) continue;
      for (let c = 0; c < inputs; c++) {
        total += weight[(out * inputs + c) * taps + j]! * x[(row - t + seen) * inputs + c]!;
      }
    }
    return total;
  });
}

const cases: Case[] = [1, 2, 3, 4].flatMap((taps) => [
  { batch: 1, length: 1, inputs: 1, outputs: 1, taps },
  { batch: 3, length: 2, inputs: 5, outputs: 7, taps },
  { batch: 2, length: 11, inputs: 24, outputs: 24, taps },
  { batch: 1, length: 67, inputs: 33, outputs: 2, taps },
  { batch: 2, length: 5, inputs: 70, outputs: 3, taps },
]);

for (const c of cases) {
  test(`conv1d ${JSON.stringify(c)}: values and gradients`, () =>
    checkGradients({
      op: conv1d,
      reference: (x, weight, bias) => reference(x, weight, bias, c),
      shapes: [[c.batch, c.length, c.inputs], [c.outputs, c.inputs, c.taps], [c.outputs]],
      tolerance: 4e-5,
    }));
}

test('k = 2 sees the step before and its own, k = 3 the one after as well', async () => {
  const x = device.tensor([1, 4, 1], [1, 10, 100, 1000]);
  const seen = async (weight: number[]) => [
    ...(await conv1d(x, device.tensor([1, 1, weight.length], weight), device.zeros([1])).read()),
  ];
  assert.equal(await seen([1, 0]), [0, 1, 10, 100]);
  assert.equal(await seen([0, 1]), [1, 10, 100, 1000]);
  assert.equal(await seen([1, 0, 0]), [0, 1, 10, 100]);
  assert.equal(await seen([0, 0, 1]), [10, 100, 1000, 0]);
});

test('a NaN reaches the steps that see it, and no others', async () => {
  const x = device.tensor([2, 4, 1], [1, 1, Number.NaN, 1, 1, 1, 1, 1]);
  const y = await conv1d(x, device.tensor([1, 1, 2], [1, 1]), device.zeros([1])).read();
  assert.equal([...y].map(Number.isNaN), [false, false, true, true, false, false, false, false]);
});

test('sequences beyond a binding are worked on in parts', async () => {
  const small = await openDevice({ maxBindingBytes: 8192 });
  const run = (device: typeof small) =>
    device.scope(() => {
      const x = device.parameter([64, 4, 8], normal(64 * 4 * 8, 1), 'x');
      const weight = device.parameter([3, 8, 3], normal(72, 2), 'weight');
      const y = conv1d(x, weight, device.zeros([3]));
      const gradients = backward(sum(mul(y, y)));
      return Promise.all([y.read(), gradients.get(x)!.read()]);
    });
  assert.equal(await run(small), await run(device));
  small.destroy();
});

test('operands that do not fit are refused', () => {
  const [x, weight, bias] = [device.zeros([2, 3, 4]), device.zeros([5, 4, 3]), device.zeros([5])];
  const refused = (kind: typeof ShapeError | typeof DtypeError, text: RegExp, run: () => unknown) =>
    assert.throws(run, (e: Error) => e instanceof kind && text.test(e.message));
  refused(ShapeError, /conv1d: weight.*\[5,4\]/, () => conv1d(x, device.zeros([5, 4]), bias));
  refused(ShapeError, /conv1d: x.*\[2,3,4\].*\[5,3,3\]/, () => conv1d(x, device.zeros([5, 3, 3]), bias));
  refused(ShapeError, /conv1d: x.*\[6,4\]/, () => conv1d(device.zeros([6, 4]), weight, bias));
  refused(ShapeError, /conv1d: bias.*\[4\]/, () => conv1d(x, weight, device.zeros([4])));
  refused(DtypeError, /conv1d/, () => conv1d(device.zeros([2, 3, 4], 'i32'), weight, bias));
});

test.run();
