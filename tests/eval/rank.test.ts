// Ranks with ties, the metrics made of them, and scoring in chunks.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { matmul } from '../../engine/ops/matmul.ts';
import { forScoredMentions, metricsOf, rankOf } from '../../eval/rank.ts';
import { device } from '../support/device.ts';

test('a rank counts what is higher, and half of the ties', () => {
  const scores = Float32Array.of(3, 1, 3, 5, -1, 3);
  assert.is(rankOf(scores, 3), 1);
  assert.is(rankOf(scores, 0), 3); // one higher, three equal: places 2, 3, 4
  assert.is(rankOf(scores, 1), 5);
  assert.is(rankOf(scores, 4), 6);
  assert.is(rankOf(Float32Array.of(2, 2), 1), 1.5);
  assert.is(rankOf(Float32Array.of(7), 0), 1);
});

test('all scores equal: the middle, whichever is right', () => {
  for (let gold = 0; gold < 9; gold++) assert.is(rankOf(new Float32Array(9), gold), 5);
});

test('a score that is not finite, or a gold entity that is not there, is an error', () => {
  assert.throws(() => rankOf(Float32Array.of(1, Number.NaN), 0), /a score is NaN/);
  assert.throws(() => rankOf(Float32Array.of(1, Number.POSITIVE_INFINITY), 0), /a score is Infinity/);
  assert.throws(() => rankOf(Float32Array.of(1, 2), 2), /entity 2 of 2/);
});

test('metrics of known ranks', () => {
  const metrics = metricsOf([1, 2, 4, 20, 21]);
  assert.equal(
    { ...metrics, mrr: Math.round(metrics.mrr * 1000) / 1000 },
    {
      'hits@1': 20,
      'hits@3': 40,
      'hits@5': 60,
      'hits@10': 60,
      'hits@20': 80,
      mrr: 36.952,
      mr: 9.6,
    },
  );
  assert.is(metricsOf([1.5])['hits@1'], 0);
  assert.throws(() => metricsOf([]), /no ranks/);
});

test('chunks in any order give every pair its own score', async () => {
  const [M, E, d] = [131, 1030, 2];
  // Score (m, e) = m - e: whole numbers, exact.
  const rows = (list: readonly number[], f: (n: number) => [number, number]) =>
    device.tensor([list.length, d], list.flatMap(f));
  const seen: number[] = [];
  const order = (n: number) => Array.from({ length: n }, (_, i) => (7 * i) % n);
  await forScoredMentions(
    device,
    order(M),
    order(E),
    (mentions, entities) =>
      matmul(
        rows(mentions, (m) => [m, 1]),
        rows(entities, (e) => [1, -e]),
        { transposeB: true },
      ),
    (mention, scores) => {
      seen.push(mention);
      assert.is(scores.length, E);
      assert.ok(scores.every((score, e) => score === mention - e));
    },
  );
  assert.equal(seen, order(M));
});

test.run();
