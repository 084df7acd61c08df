// The fit finds the weights that choices were drawn by, and the least loss.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Choice, fitConditionalLogit, meanLoss } from '../../../train/calibration/conditional-logit.ts';
import { generator } from '../../support/random.ts';

/** Choices among 2 to 9 alternatives, drawn with the probabilities that the weights give. */
function drawn(weights: readonly number[], count: number, seed: number): Choice[] {
  const next = generator(seed);
  return Array.from({ length: count }, () => {
    const alternatives = Array.from({ length: 2 + Math.floor(next() * 8) }, () =>
      weights.map(() => 4 * next() - 2),
    );
    // Gumbel's trick: the largest of logits with such noise.
    const values = alternatives.map(
      (x) => x.reduce((sum, value, k) => sum + value * weights[k]!, 0) - Math.log(-Math.log(next())),
    );
    return { alternatives, chosen: values.indexOf(Math.max(...values)) };
  });
}

const none = [0, 0, 0];

test('known weights are found, the better the more choices there are', () => {
  const weights = [0.7, -1.5, 2];
  const found = fitConditionalLogit(drawn(weights, 4000, 3), none);
  for (const [k, weight] of weights.entries()) assert.ok(Math.abs(found[k]! - weight) < 0.12, `${found}`);
});

test('no other weights near have a smaller loss, ridge counted', () => {
  const choices = drawn([0.5, 1, -0.3], 200, 5).map((choice, i) => ({ ...choice, weight: 1 + (i % 3) }));
  const ridge = [1, 30, 0.1];
  const total = choices.reduce((sum, { weight }) => sum + weight, 0);
  const loss = (w: readonly number[]) =>
    total * meanLoss(choices, w) + ridge.reduce((sum, r, k) => sum + (r * w[k]! ** 2) / 2, 0);
  const found = fitConditionalLogit(choices, ridge);
  for (let k = 0; k < 3; k++) {
    for (const step of [-1e-3, 1e-3]) {
      assert.ok(loss(found.map((w, l) => (k === l ? w + step : w))) > loss(found));
    }
  }
  const free = fitConditionalLogit(choices, none);
  assert.ok(Math.abs(found[1]!) < Math.abs(free[1]!), 'a ridge draws towards 0');
});

test('with two alternatives, x and 0, it is logistic regression', () => {
  // One feature, a constant: the probability is the part of what was chosen.
  const choices = Array.from({ length: 10 }, (_, i) => ({ alternatives: [[1], [0]], chosen: i < 8 ? 0 : 1 }));
  const [weight] = fitConditionalLogit(choices, [0]) as [number];
  assert.ok(Math.abs(1 / (1 + Math.exp(-weight)) - 0.8) < 1e-9);
});

test('what separates perfectly stays finite by the ridge; what nothing tells is 0; and is refused without a ridge', () => {
  const separated = Array.from({ length: 50 }, () => ({
    alternatives: [
      [1, 0],
      [0, 0],
    ],
    chosen: 0,
  }));
  const [name, other] = fitConditionalLogit(separated, [1, 1]) as [number, number];
  // The derivative is 0: w = 50 (1 - sigmoid(w)).
  assert.ok(Math.abs(name - 50 / (1 + Math.exp(name))) < 1e-6, `${name}`);
  assert.is(other, 0);
  assert.throws(() => fitConditionalLogit(separated, [1, 0]), /do not determine/);
});

test.run();
