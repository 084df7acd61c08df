// The balance term against float64, its limits, and by hand.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sizeOf } from '../../../engine/tensor.ts';
import { balanced, balanceTerm } from '../../../train/gating/balance.ts';
import { device } from '../../support/device.ts';
import { checkGradients } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';

const eps = 1e-6;

function reference(pi: Float64Array, B: number): number[] {
  const q = new Float64Array(B);
  const pairs = pi.length / B;
  for (let pair = 0; pair < pairs; pair++) {
    const own = pi.subarray(pair * B, (pair + 1) * B).map((p) => p + eps);
    const all = own.reduce((a, b) => a + b);
    own.forEach((p, b) => {
      q[b]! += p / all / pairs;
    });
  }
  return [q.reduce((term, share) => term + share * Math.log(B * share), 0)];
}

for (const shape of [
  [3, 5, 2],
  [1, 7, 3],
  [4, 1, 2],
]) {
  test(`pi [${shape}]: value and gradient`, async () => {
    const B = shape.at(-1)!;
    const pi = normal(sizeOf(shape), 3).map((x) => x * x + 0.1);
    await checkGradients({
      op: (pi) => balanceTerm(pi, eps),
      reference: (pi) => reference(pi, B),
      shapes: [shape],
      data: [pi],
    });
  });
}

test('computed by hand: 0 for even shares, log B for one expert, and what lies between', async () => {
  const term = (pi: number[]) => balanceTerm(device.tensor([2, 1, 2], pi), eps).item();
  assert.ok(Math.abs(await term([1, 0, 0, 3])) < 1e-5);
  assert.ok(Math.abs((await term([2, 0, 5, 0])) - Math.LN2) < 1e-4);
  // q = ((1/4 + 1/2) / 2, (3/4 + 1/2) / 2) = (3/8, 5/8)
  const between = (3 / 8) * Math.log(3 / 4) + (5 / 8) * Math.log(5 / 4);
  assert.ok(Math.abs((await term([1, 3, 2, 2])) - between) < 1e-5);
});

test('a weight of 0 leaves the loss the very tensor that it is', async () => {
  const [loss, pi] = [device.tensor([], [0.5]), device.tensor([1, 1, 2], [1, 3])];
  assert.is(balanced(loss, pi, 0, eps), loss);
  const term = 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5);
  assert.ok(Math.abs((await balanced(loss, pi, 2, eps).item()) - (0.5 + 2 * term)) < 1e-5);
});

test.run();
