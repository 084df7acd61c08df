// The gate's rule (the expert with the largest pi[m, e] = relu(u[m] + v[e]), the first of equals) stands on the host
// (gate-logits.ts), in expert-choice.wgsl and, for training, in straight-through.wgsl: here all are held to one plain rule.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, relu } from '../../engine/ops/elementwise.ts';
import { straightThrough } from '../../engine/ops/gumbel.ts';
import { reshape } from '../../engine/ops/shape.ts';
import { choiceOf, pickedParts } from '../../ranking/gate-logits.ts';
import { chosenScores, countChoices, pairMask } from '../../ranking/systems.ts';
import { device } from '../support/device.ts';
import { generator, normal } from '../support/random.ts';

const [M, E] = [19, 83];

/** Logits of the gate of so many rows and experts. */
type Draw = (rows: number, experts: number, seed: number) => Float32Array<ArrayBuffer>;

const random: Draw = (rows, experts, seed) => normal(rows * experts, seed);
/** Quarters between -1 and 1: sums are exact, often equal and often below 0 for all experts. */
const tied: Draw = (rows, experts, seed) => {
  const next = generator(seed);
  return Float32Array.from({ length: rows * experts }, () => Math.floor(9 * next()) / 4 - 1);
};

function plainChoice(u: Float32Array, v: Float32Array): number {
  const pi = Array.from(u, (logit, i) => Math.max(0, Math.fround(logit + v[i]!)));
  return pi.indexOf(Math.max(...pi));
}

for (const [name, draw] of Object.entries({ random, tied }))
  for (const isShared of [false, true])
    for (let B = 1; B <= 8; B++)
      test(`${B} experts, ${name} logits, ${isShared ? 'one row for all entities' : 'a row an entity'}`, async () => {
        const u = draw(M, B, 10 + B);
        const v = draw(isShared ? 1 : E, B, 20 + B);
        const rowOf = (values: Float32Array, row: number) => values.subarray(row * B, (row + 1) * B);
        const choices = Array.from({ length: M * E }, (_, pair) =>
          plainChoice(rowOf(u, Math.floor(pair / E)), rowOf(v, isShared ? 0 : pair % E)),
        );
        const chosen = (i: number) => choices.some((choice) => choice === i);
        const experts = Array.from({ length: B }, (_, i) => i);

        const host = choices.map((_, pair) =>
          choiceOf(rowOf(u, Math.floor(pair / E)), rowOf(v, isShared ? 0 : pair % E)),
        );
        assert.equal(host, choices, 'choiceOf');
        const logits = { parts: B, values: u, isShared: false };
        assert.equal(
          pickedParts(logits, { parts: B, values: v, isShared }),
          experts.map(chosen),
          'pickedParts',
        );

        const gate = {
          u: device.tensor([M, B], u),
          v: device.tensor([isShared ? 1 : E, B], v),
          isShared,
        };
        for (const i of experts) {
          const mask = await pairMask(gate, E, i).read();
          assert.equal(
            [...mask],
            choices.map((choice) => (choice === i ? 1 : 0)),
            `pairs of expert ${i}`,
          );
        }

        const lacksImage = Uint32Array.from({ length: E }, (_, e) => (e % 3 === 0 ? 1 : 0));
        const counts = device.zeros([M, 2, B], 'u32');
        countChoices(gate, device.tensor([E], lacksImage), counts);
        const expected = Array.from({ length: M * 2 * B }, (_, at) => {
          const [m, onlyWithout, i] = [Math.floor(at / (2 * B)), Math.floor(at / B) % 2, at % B];
          const counted = (choice: number, e: number) =>
            choice === i && (!onlyWithout || lacksImage[e] === 1);
          return choices.slice(m * E, (m + 1) * E).filter(counted).length;
        });
        assert.equal([...(await counts.read())], expected, 'counts');

        // An expert that nobody chose has no scores.
        const scores = experts.map((i) => normal(M * E, 30 + i));
        const calibration = Float32Array.from({ length: 2 * B }, (_, i) => (i < B ? 1 + i / 4 : i - B));
        const y = chosenScores(
          device.tensor([2, B], calibration),
          experts.map((i) => (chosen(i) ? device.tensor([M, E], scores[i]!) : null)),
          gate,
        );
        const ofChosen = choices.map((i, pair) =>
          Math.fround(Math.fround(calibration[i]! * scores[i]![pair]!) + calibration[B + i]!),
        );
        const found = [...(await y.read())];
        for (const [pair, score] of found.entries()) {
          assert.ok(
            Math.abs(score - ofChosen[pair]!) <= 2e-6 * Math.max(1, Math.abs(ofChosen[pair]!)),
            `${pair}`,
          );
        }

        // The logarithm may make different pi equal, so training is held to the rule where they differ clearly.
        if (draw !== tied) return;
        const sums = add(reshape(gate.u, [M, 1, B]), reshape(gate.v, [1, isShared ? 1 : E, B]));
        const z = [...(await straightThrough(relu(sums), null, 1, 1e-6).read())];
        const hot = isShared ? choices.filter((_, pair) => pair % E === 0) : choices;
        assert.equal(
          z,
          hot.flatMap((choice) => experts.map((i) => (i === choice ? 1 : 0))),
          'straightThrough',
        );
      });

test('a gate that is not a number chooses no expert', async () => {
  for (const B of [1, 3, 8]) {
    const u = device.tensor([1, B], new Float32Array(B).fill(Number.NaN));
    const gate = { u, v: device.zeros([1, B]), isShared: false };
    const scores = Array.from({ length: B }, () => device.zeros([1, 1]));
    const y = chosenScores(device.tensor([2, B], new Float32Array(2 * B).fill(1)), scores, gate);
    assert.ok(Number.isNaN(await y.item()));
    for (let i = 0; i < B; i++) assert.is(await pairMask(gate, 1, i).item(), 0);
  }
});

test.run();
