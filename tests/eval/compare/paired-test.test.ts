// The paired test: known outcomes, its correction, and how often it errs where there is nothing to find.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { holm, pairedTests } from '../../../eval/compare/paired-test.ts';
import { RandomStream } from '../../../train/random-stream.ts';

const seed = 5;
const repeat = (count: number, value: number) => new Array<number>(count).fill(value);

test('p of few differences is that of counting all signs', () => {
  // Six mentions that only a links rightly: of 64 signs two are as far from 0, 2 / 64.
  const [a, b] = [[...repeat(6, 1), ...repeat(14, 0)], repeat(20, 0)];
  const [found] = pairedTests([a, b], { seed, rounds: 40_000 });
  assert.ok(Math.abs(found!.p - 2 / 64) < 0.003, `${found!.p}`);
  assert.is(found!.difference, 0.3);
  // Four won and two lost: sums of six signs at least 2 from 0, all but the 20 of 64 that are 0.
  const mixed = [...repeat(4, 1), ...repeat(2, 0), ...repeat(14, 0)];
  const other = [...repeat(4, 0), ...repeat(2, 1), ...repeat(14, 0)];
  const [second] = pairedTests([mixed, other], { seed, rounds: 40_000 });
  assert.ok(Math.abs(second!.p - 44 / 64) < 0.01, `${second!.p}`);
});

test('equal systems have p 1 and an interval of nothing', () => {
  const values = [1, 0, 1, 1, 0, 1];
  const [found] = pairedTests([values, values], { seed });
  assert.equal({ ...found }, { a: 0, b: 1, difference: 0, low: 0, high: 0, p: 1, adjusted: 1 });
  assert.equal(pairedTests([values], { seed }), []);
});

test('the interval is that of a binomial proportion', () => {
  // 200 of 1,000 mentions are won, none lost: 0.2 +- 1.96 sqrt(0.2 x 0.8 / 1000).
  const a = [...repeat(200, 1), ...repeat(800, 0)];
  const [found] = pairedTests([a, repeat(1000, 0)], { seed, rounds: 100 });
  const half = 1.96 * Math.sqrt((0.2 * 0.8) / 1000);
  assert.ok(Math.abs(found!.low - (0.2 - half)) < 0.004, `${found!.low}`);
  assert.ok(Math.abs(found!.high - (0.2 + half)) < 0.004, `${found!.high}`);
  assert.is(found!.p, 1 / 101);
});

test('pairing counts: what all mentions gain alike is found where the mentions themselves differ much', () => {
  const draws = new RandomStream(3);
  const hard = Array.from({ length: 60 }, () => draws.between(-10, 10));
  const [found] = pairedTests([hard.map((x) => x + draws.between(0.1, 0.3)), hard], { seed });
  assert.ok(found!.p < 0.001 && found!.low > 0.15 && found!.high < 0.25);
});

test('systems that differ by chance alone are called different in about 5 of 100 cases', () => {
  const draws = new RandomStream(11);
  const coin = () => Array.from({ length: 80 }, () => Number(draws.uniform() < 0.5));
  let real = 0;
  for (let i = 0; i < 200; i++) {
    const [found] = pairedTests([coin(), coin()], { seed: i, rounds: 400, resamples: 2 });
    if (found!.p < 0.05) real++;
  }
  assert.ok(real >= 2 && real <= 20, `${real} of 200`);
});

test("Holm's correction, by hand", () => {
  assert.equal(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
  assert.equal(holm([0.9, 0.6]), [1, 1]);
  assert.equal(holm([]), []);
});

test('all pairs are tested, and the same seed gives the same numbers', () => {
  const draws = new RandomStream(7);
  const systems = [0.2, 0.5, 0.8].map((part) =>
    Array.from({ length: 120 }, () => Number(draws.uniform() < part)),
  );
  const found = pairedTests(systems, { seed, rounds: 500, resamples: 200 });
  assert.equal(
    found.map(({ a, b }) => [a, b]),
    [
      [0, 1],
      [0, 2],
      [1, 2],
    ],
  );
  assert.ok(
    found.every(
      ({ difference, low, high, p }) => difference < 0 && low < difference && difference < high && p < 0.05,
    ),
  );
  assert.equal(pairedTests(systems, { seed, rounds: 500, resamples: 200 }), found);
  assert.not.equal(pairedTests(systems, { seed: 6, rounds: 500, resamples: 200 }), found);
});

test.run();
