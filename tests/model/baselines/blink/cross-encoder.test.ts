// What BLINK's cross-encoder must keep beside the reference's numbers (cases/blink-crossencoder): a pair's score is the pair's
// alone, and it learns to pick the right one of its candidates.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward, noGrad } from '../../../../engine/autograd.ts';
import { Adam } from '../../../../engine/nn/adam.ts';
import { crossEntropy } from '../../../../engine/ops/cross-entropy.ts';
import { reshape } from '../../../../engine/ops/shape.ts';
import { Random } from '../../../../engine/random.ts';
import { InputError } from '../../../../files/errors.ts';
import { trainedTensors } from '../../../../model/baselines/baseline.ts';
import { CrossEncoder } from '../../../../model/baselines/blink/cross-encoder.ts';
import { rerank } from '../../../../ranking/reranker.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { features, freshBert, textSamples } from '../../../support/text-pairs.ts';

const n = 32;
const N = 4;
const pairs = { mention: textSamples(n, 3, true), entity: textSamples(n, 4, false) };
// Entities' texts are not cut so short that two of them become the same.
const options = { contextLength: 12, entityLength: 16, dropout: 0.1, candidates: N };
const encoderOf = (more: object = {}) =>
  new CrossEncoder('cross', { device, random: new Random(5) }, freshBert(), { ...options, ...more });

/** Mention i has the entities i, i + 5, i + 10, ... for candidates. */
const candidates = {
  offsets: Int32Array.from({ length: n + 1 }, (_, i) => i * N),
  rows: Int32Array.from(
    Array.from({ length: n }, (_, i) =>
      Array.from({ length: N }, (_, j) => (i + 5 * j) % n).sort((a, b) => a - b),
    ).flat(),
  ),
};
const gold = Int32Array.from({ length: n }, (_, i) => i);

async function inputsOf(encoder: CrossEncoder) {
  const [mention, entity] = [
    await encoder.prepare('mention', pairs.mention),
    await encoder.prepare('entity', pairs.entity),
  ];
  return (mentions: readonly number[], entities: readonly number[]) =>
    [
      { inputs: mention, rows: mentions, images: mentions },
      { inputs: entity, rows: entities, images: entities },
    ] as const;
}

test("a pair's score does not depend on the other pairs, their order and what it is padded to", async () => {
  const encoder = encoderOf();
  const batch = await inputsOf(encoder);
  const scores = (mentions: number[], entities: number[]) =>
    device.scope(() => device.read<'f32'>(noGrad(() => encoder.pairScores(...batch(mentions, entities)))));
  const [mentions, entities] = [
    [3, 3, 9, 0, 31],
    [4, 5, 5, 30, 2],
  ];
  const all = await scores(mentions, entities);
  const back = await scores(mentions.toReversed(), entities.toReversed());
  assertClose(back.toReversed(), all, 1e-5, 'order');
  for (const [i, mention] of mentions.entries()) {
    assertClose(await scores([mention], [entities[i]!]), all.subarray(i, i + 1), 1e-5, `pair ${i}`);
  }
  assert.is(new Set(all).size, all.length);
});

test('it learns to put the right one of its candidates first, for 32 mentions', async () => {
  const encoder = encoderOf({ dropout: 0 });
  const batch = await inputsOf(encoder);
  const adam = new Adam([...trainedTensors(encoder).values()], { lr: 1e-3 });
  const mentions = [...gold].flatMap((m) => Array.from({ length: N }, () => m));
  const targets = Int32Array.from(gold, (m) => candidates.rows.subarray(m * N, (m + 1) * N).indexOf(m));
  for (let step = 0; step < 500; step++) {
    const loss = await device.scope(() => {
      const scores = encoder.pairScores(...batch(mentions, [...candidates.rows]));
      const loss = crossEntropy(reshape(scores, [n, N]), device.tensor([n], targets));
      adam.step(backward(loss));
      return loss.item();
    });
    // A mention that is wrong costs log(2) / 32 at least.
    if (loss < 0.02) break;
  }
  adam.release();
  const task = { mentions: pairs.mention, entities: pairs.entity, features, candidates, gold, top: 1 };
  const { ranks, top } = await rerank(encoder, task);
  assert.equal(ranks, new Array(n).fill(1));
  assert.equal(
    top.map(([first]) => first!.entity),
    [...gold],
  );
});

test('lengths that the BERT has no places for are refused', () => {
  assert.throws(
    () => encoderOf({ contextLength: 30, entityLength: 20 }),
    (error: Error) =>
      error instanceof InputError &&
      /^contextLength \+ entityLength: expected at most 48/.test(error.message),
  );
});

test.run();
