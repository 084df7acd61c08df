// What scores say of themselves: the deviation over what any scorer ranks high, and the scale of the likeliest softmax.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { statisticsOf } from '../../../train/gating/score-statistics.ts';
import { normal } from '../../support/random.ts';

const [M, E] = [30, 40];
const gold = Array.from({ length: M }, (_, m) => (7 * m) % E);

/** Scores of a scorer that knows the answer as well as `lead` says. */
function scores(seed: number, spread: number, lead: number): Float32Array {
  const all = normal(M * E, seed).map((x) => spread * x);
  for (const [m, e] of gold.entries()) all[m * E + e]! += spread * lead;
  return all;
}

/** The mean of -log p(gold) at a scale; every entity but the gold one counts `weight` times. */
function entropy(all: Float32Array, scale: number, weight = 1): number {
  const losses = gold.map((answer, m) => {
    const row = [...all.subarray(m * E, (m + 1) * E)].map((x) =>
      Math.exp(scale * (x - all[m * E + answer]!)),
    );
    return Math.log(row.reduce((sum, x, e) => sum + (e === answer ? x : weight * x), 0));
  });
  return losses.reduce((sum, x) => sum + x, 0) / M;
}

test('no other scale makes the answers likelier', () => {
  const all = [scores(1, 1, 2), scores(2, 10, 1)];
  for (const weight of [1, 50]) {
    for (const [i, { scale }] of statisticsOf(all, gold, Math.log(weight)).entries()) {
      const least = entropy(all[i]!, scale, weight);
      for (const factor of [0.5, 0.99, 1.01, 2]) {
        assert.ok(entropy(all[i]!, factor * scale, weight) > least, `${scale} ${factor}`);
      }
    }
  }
});

test('ten times the scores have ten times the deviation and a tenth of the scale', () => {
  const own = scores(3, 1, 2);
  const [one, ten] = statisticsOf([own, own.map((x) => 10 * x)], gold);
  assert.ok(Math.abs(ten!.deviation / one!.deviation - 10) < 1e-5);
  assert.ok(Math.abs(ten!.scale / one!.scale - 0.1) < 1e-5);
});

test('the deviation is that of entities which any of the scorers has among its best', () => {
  // The second scorer's best are the first's worst: with both, the first's deviation is that of its ends.
  const one = Float32Array.from({ length: M * E }, (_, i) => i % E);
  const other = one.map((x) => -x);
  const [alone] = statisticsOf([one], gold);
  const [both] = statisticsOf([one, other], gold);
  const deviation = (values: number[]) => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
  };
  const best = Array.from({ length: 16 }, (_, i) => E - 1 - i);
  const worst = Array.from({ length: 16 }, (_, i) => i);
  assert.ok(Math.abs(alone!.deviation - deviation(best)) < 1e-9);
  assert.ok(Math.abs(both!.deviation - deviation([...best, ...worst])) < 1e-9);
});

test.run();
