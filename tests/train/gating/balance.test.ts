// The balance term against float64, its limits, and by hand.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { softmax } from '../../../engine/ops/softmax.ts';
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

test("choices: each pair's likeliest expert counts, and the gradient is that of the probabilities", async () => {
  const pi = device.parameter([2, 2, 2], Float32Array.of(3, 1, 2, 1, 5, 4, 0, 1), 'pi');
  // Three of four pairs take the first expert: q = 0.98 (3/4, 1/4) + 0.02 (1/2, 1/2).
  const q = [0.98 * 0.75 + 0.01, 0.98 * 0.25 + 0.01];
  const expected = q.reduce((sum, share) => sum + share * Math.log(2 * share), 0);
  const [value, gradient] = await device.scope(() => {
    const term = balanceTerm(pi, eps, 'choices');
    const found = backward(term).get(pi)!;
    return Promise.all([term.item(), found.read()]);
  });
  assert.ok(Math.abs(value - expected) < 1e-5, `${value} ${expected}`);
  // d p_1 / d pi = (pi_2, -pi_1) / (pi_1 + pi_2)^2, d term / d q_b = log(2 q_b) + 1.
  const pull = (0.98 / 4) * (Math.log(2 * q[0]!) - Math.log(2 * q[1]!));
  [3, 1, 2, 1, 5, 4, 0, 1].forEach((_, i, all) => {
    const [own, other] = [all[i]!, all[i % 2 === 0 ? i + 1 : i - 1]!];
    const slope = ((i % 2 === 0 ? 1 : -1) * pull * (other + eps)) / (own + other + 2 * eps) ** 2;
    assert.ok(Math.abs(gradient[i]! - slope) < 1e-4, `${i}: ${gradient[i]} ${slope}`);
  });
});

test('of choices, it brings back an expert that no pair takes', async () => {
  const [pairs, steps, rate] = [60, 200, 5];
  const logits = normal(2 * pairs, 9).map((x, i) => 0.5 * x + (i % 2 === 0 ? 3 : 0));
  const rest = device.parameter([pairs, 1, 2], Float32Array.from(logits), 'logits');
  const share = () => {
    let first = 0;
    for (let pair = 0; pair < pairs; pair++) if (logits[2 * pair]! > logits[2 * pair + 1]!) first++;
    return first / pairs;
  };
  assert.is(share(), 1);
  for (let step = 0; step < steps; step++) {
    const slope = await device.scope(() =>
      backward(balanceTerm(softmax(rest), eps, 'choices'))
        .get(rest)!
        .read(),
    );
    slope.forEach((x, i) => {
      logits[i]! -= rate * x;
    });
    device.write(rest, Float32Array.from(logits));
  }
  assert.ok(share() > 0.3 && share() < 0.7, `${share()}`);
});

test('an expert that is never chosen gives a finite term and a gradient towards it', async () => {
  const pi = device.parameter([3, 1, 2], Float32Array.of(1, 2, 1, 3, 4, 5), 'pi');
  const gradient = await device.scope(() =>
    backward(balanceTerm(pi, eps, 'choices'))
      .get(pi)!
      .read(),
  );
  gradient.forEach((slope, i) => {
    assert.ok(i % 2 === 0 ? slope < -1e-3 : slope > 1e-3, `${[...gradient]}`);
  });
});

test('a weight of 0 leaves the loss the very tensor that it is', async () => {
  const [loss, pi] = [device.tensor([], [0.5]), device.tensor([1, 1, 2], [1, 3])];
  assert.is(balanced(loss, pi, 0, eps), loss);
  const term = 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5);
  assert.ok(Math.abs((await balanced(loss, pi, 2, eps).item()) - (0.5 + 2 * term)) < 1e-5);
});

test.run();
