// What a ranking keeps of the scores that pass by, against sorting them, in both shapes of work.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Ranking, RankState } from '../../ranking/rank-state.ts';
import { range } from '../../ranking/sources.ts';
import { device } from '../support/device.ts';
import { generator } from '../support/random.ts';
import { forBothRowShapes } from '../support/row-shapes.ts';

const mentions = 13;

/** The ranking of scores [mentions, entities] that come in blocks of these sizes; the scores of gold[i] are its own. */
async function rankingOf(
  scores: Float32Array,
  gold: readonly number[],
  k: number,
  blocks: readonly number[],
): Promise<Ranking> {
  const entities = scores.length / mentions;
  const state = new RankState(device, Int32Array.from(gold), k);
  const columns = (first: number, n: number) =>
    Float32Array.from(
      { length: mentions * n },
      (_, i) => scores[Math.floor(i / n) * entities + first + (i % n)]!,
    );
  device.scope(() => {
    const own = gold.map((entity, m) => scores[m * entities + Math.max(0, entity)]!);
    state.setGold(
      device.tensor([mentions, 1], own),
      gold.map(() => 0),
    );
    let first = 0;
    for (const n of blocks) {
      state.add(
        device.tensor([mentions, n], columns(first, n)),
        device.tensor([n], Int32Array.from(range(first, n))),
      );
      first += n;
    }
  });
  const ranking = await state.read();
  state.release();
  return ranking;
}

forBothRowShapes((shape, within) => {
  test(
    `others above and equal to the gold entity, and the best with the lower number first (${shape})`,
    within(async () => {
      const next = generator(3);
      for (const [k, blocks] of [
        [0, [9]],
        [1, [1, 1, 1]],
        [4, [3, 130, 64, 1]],
        [20, [7, 5, 200]],
        [20, [4]],
      ] as const) {
        const entities = blocks.reduce((a: number, b: number) => a + b, 0);
        // Few different numbers: many are equal.
        const scores = Float32Array.from({ length: mentions * entities }, () => Math.floor(9 * next()) - 4);
        const gold = Array.from({ length: mentions }, (_, m) =>
          m === 0 ? -1 : Math.floor(entities * next()),
        );
        const { state, values, numbers } = await rankingOf(scores, gold, k, blocks);
        for (let m = 0; m < mentions; m++) {
          const row = [...scores.subarray(m * entities, (m + 1) * entities)];
          if (gold[m]! >= 0) {
            const own = row[gold[m]!]!;
            const higher = row.filter((score) => score > own).length;
            const equal = row.filter((score) => score === own).length - 1;
            assert.equal([...state.subarray(4 * m, 4 * m + 3)], [higher, equal, 0], `mention ${m}`);
          }
          const best = [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b).slice(0, k);
          const places = range(m * k, k);
          assert.equal(
            places.map((at) => numbers[at]),
            [...best, ...new Array<number>(k - best.length).fill(-1)],
          );
          assert.equal(
            best.map((_, i) => values[m * k + i]),
            best.map((entity) => row[entity]),
          );
        }
      }
    }),
  );

  test(
    `scores that are not finite are counted, with one of their entities (${shape})`,
    within(async () => {
      for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        for (const n of [11, 12]) {
          const scores = new Float32Array(mentions * n).fill(1);
          scores[3 * n + 10] = wrong;
          const { state } = await rankingOf(scores, new Array(mentions).fill(2), 4, [n]);
          assert.equal([...state.subarray(14, 16)], [1, 11]);
          assert.equal([...state.subarray(18, 20)], [0, 0]);
        }
      }
    }),
  );
});

test.run();
