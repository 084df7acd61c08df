// The matching head as a reranker: its scores are both logits of a match, whatever pairs are scored together, and it ranks
// candidates.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PixelSource } from '../../../../data/images/pixel-source.ts';
import { albefPreprocessing, clipPreprocessing } from '../../../../data/images/preprocess.ts';
import type { Samples } from '../../../../encoding/samples.ts';
import { backward, noGrad } from '../../../../engine/autograd.ts';
import { Adam } from '../../../../engine/nn/adam.ts';
import { crossEntropy } from '../../../../engine/ops/cross-entropy.ts';
import { reshape } from '../../../../engine/ops/shape.ts';
import { InputError, UsageError } from '../../../../files/errors.ts';
import { packedPairs } from '../../../../model/baselines/albef/albef-baseline.ts';
import { AlbefMatcher } from '../../../../model/baselines/albef/albef-matcher.ts';
import { trainedTensors } from '../../../../model/baselines/baseline.ts';
import { packedBatch } from '../../../../model/bert/packed-texts.ts';
import { rerank } from '../../../../ranking/reranker.ts';
import { freshAlbef, pairSamples, towerOfTwo } from '../../../support/albef/albef-pairs.ts';
import { noiseImages } from '../../../support/albef/image-files.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';

const [M, E] = [7, 12];
const folder = mkdtempSync(join(tmpdir(), 'dsmip-albef-matcher-'));
test.after(() => rmSync(folder, { recursive: true }));
const files = noiseImages(folder, M + E, 20);
const source = new PixelSource(files, clipPreprocessing(24));
const features = { source, files, cache: '', clipHash: '' };
const samples = { mention: pairSamples(M, 1, 1, true), entity: pairSamples(E, 2, M + 1, false) };
const albef = freshAlbef();
const textLength = 20;
const usual = { textLength, dropout: 0, candidates: E };
const matcher = new AlbefMatcher('matcher', device, albef, usual);

/** The logit of a match of one text with one image, alone. */
async function logit(text: Samples, row: number, image: Samples, imageRow: number): Promise<number> {
  const { imageSize } = towerOfTwo.vision;
  const [number = 0] = image.images[imageRow]!;
  const decoded = await source
    .seenAs(albefPreprocessing(imageSize))
    .groups([[number]])
    .next();
  const [, yes] = await device.scope(() => {
    const states = albef.module.encodeText(packedBatch(packedPairs(albef, [text.texts[row]!], textLength)));
    const pixels = device.tensor([1, 3, imageSize, imageSize], decoded.value!);
    return albef.matching!.logits(albef.module.fuse(states, albef.module.encodeImage(pixels))).read();
  });
  return yes!;
}

const expected: number[] = [];
for (let m = 0; m < M; m++) {
  for (let e = 0; e < E; e++) {
    expected.push(
      (await logit(samples.entity, e, samples.mention, m)) +
        (await logit(samples.mention, m, samples.entity, e)),
    );
  }
}

test('pairs of any sizes and lengths together have the scores that they have alone', async () => {
  const side = async (of: 'mention' | 'entity') => {
    const each = samples[of].images.map(([image]) => image ?? 0);
    const inputs = await matcher.prepare(of, samples[of], [...new Set(each)], features);
    return (rows: readonly number[]) => ({ inputs, rows, images: rows.map((row) => each[row]!) });
  };
  const [mentions, entities] = [await side('mention'), await side('entity')];
  const pairs = expected.map((_, i) => [Math.floor(i / E), i % E] as const);
  const scores = await device.scope(() =>
    matcher.pairScores(mentions(pairs.map(([m]) => m)), entities(pairs.map(([, e]) => e))).read(),
  );
  assertClose(scores, expected, 1e-5, 'scores');
});

test('it ranks candidates by that', async () => {
  const candidates = {
    rows: Int32Array.from({ length: M * E }, (_, i) => i % E),
    offsets: Int32Array.from({ length: M + 1 }, (_, i) => i * E),
  };
  const gold = Int32Array.from({ length: M }, (_, m) => m);
  const task = { mentions: samples.mention, entities: samples.entity, features, candidates, gold, top: 1 };
  const { ranks, top } = await rerank(matcher, task);
  for (let m = 0; m < M; m++) {
    const row = expected.slice(m * E, (m + 1) * E);
    const own = row[m]!;
    assert.is(ranks[m], 1 + row.filter((score) => score > own + 1e-6).length);
    assert.is(top[m]![0]!.entity, row.indexOf(Math.max(...row)));
  }
});

test("text, fusion and head learn to put each mention's entity first, by images that stay as they are", async () => {
  const own = freshAlbef(6);
  const learner = new AlbefMatcher('matcher', device, own, usual);
  const parameters = [...trainedTensors(learner).values()];
  const names = [...trainedTensors(learner).keys()];
  assert.ok(names.includes('itm_head.weight') && names.some((name) => name.includes('crossattention')));
  assert.not(names.some((name) => name.startsWith('vis') || name.startsWith('text_proj')));
  const side = async (of: 'mention' | 'entity') => {
    const each = samples[of].images.map(([image]) => image ?? 0);
    const inputs = await learner.prepare(of, samples[of], [...new Set(each)], features);
    return (rows: readonly number[]) => ({ inputs, rows, images: rows.map((row) => each[row]!) });
  };
  const [mentions, entities] = [await side('mention'), await side('entity')];
  const pairs = expected.map((_, i) => [Math.floor(i / E), i % E] as const);
  const scored = () =>
    reshape(learner.pairScores(mentions(pairs.map(([m]) => m)), entities(pairs.map(([, e]) => e))), [M, E]);
  const adam = new Adam(parameters, { lr: 4e-3 });
  const targets = Int32Array.from({ length: M }, (_, m) => m);
  for (let step = 0, loss = Infinity; step < 150 && loss > 0.1; step++) {
    loss = await device.scope(() => {
      const value = crossEntropy(scored(), device.tensor([M], targets));
      adam.step(backward(value));
      return value.item();
    });
  }
  const scores = await device.scope(() => noGrad(() => scored()).read());
  for (let m = 0; m < M; m++) {
    const row = [...scores.subarray(m * E, (m + 1) * E)];
    assert.is(row.indexOf(Math.max(...row)), m);
  }
  adam.release();
});

test('an ALBEF without a matching head, and texts longer than it takes, are refused', () => {
  const make = (part: typeof albef, length: number) => () =>
    new AlbefMatcher('matcher', device, part, { ...usual, textLength: length });
  assert.throws(make({ ...albef, matching: null }, textLength), (e: unknown) => e instanceof UsageError);
  assert.throws(make(albef, 49), (e: unknown) => e instanceof InputError);
});

test.run();
