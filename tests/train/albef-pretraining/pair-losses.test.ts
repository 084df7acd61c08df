// What of ALBEF's losses no reference case shows: how often which pair is drawn. Values and gradients are the case
// `albef-pretraining`.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../../engine/random.ts';
import { initialise } from '../../../model/initialise.ts';
import {
  AlbefStudent,
  drawNegatives,
  drawNoise,
  pairLosses,
} from '../../../train/albef-pretraining/pair-losses.ts';
import { smallAlbef } from '../../support/albef/small-albef.ts';
import { device } from '../../support/device.ts';
import { normal } from '../../support/random.ts';

const { module: student } = initialise(
  device,
  new Random(3),
  (p) => new AlbefStudent(p, smallAlbef),
  (_, { start }) => ('deviation' in start ? { deviation: 0.3 } : start),
);
const { imageSize } = smallAlbef.vision;
const entities = [4, 9, 4, 7];
const B = entities.length;
const L = 6;
const lengths = [6, 4, 2, 5];
const mask = Int32Array.from({ length: B * L }, (_, i) => Number(i % L < lengths[Math.floor(i / L)]!));
const texts = { ids: mask.map((real, i) => real * ((7 * i) % 60)), mask, count: B, length: L };

test('negatives are drawn from the softmax of the similarities, and never of the same entity', async () => {
  const draws = 400;
  const counts = { images: new Float64Array(B * B), texts: new Float64Array(B * B) };
  const similarity = normal(B * B, 6);
  for (let seed = 0; seed < draws; seed++) {
    const [images, drawn] = await device.scope(() => {
      const noise = drawNoise(device, B, new Random(seed));
      const found = drawNegatives(device.tensor([B, B], similarity), entities, noise);
      return Promise.all([found.images.read(), found.texts.read()]);
    });
    for (let i = 0; i < B; i++) {
      counts.images[i * B + images[i]!]! += 1 / draws;
      counts.texts[i * B + drawn[i]!]! += 1 / draws;
    }
  }
  for (const [of, at] of [
    [counts.images, (i: number, j: number) => similarity[i * B + j]!],
    [counts.texts, (i: number, j: number) => similarity[j * B + i]!],
  ] as const) {
    for (let i = 0; i < B; i++) {
      const weights = entities.map((entity, j) => (entity === entities[i] ? 0 : Math.exp(at(i, j))));
      const sum = weights.reduce((a, b) => a + b);
      for (let j = 0; j < B; j++) {
        const p = weights[j]! / sum;
        if (p === 0) assert.is(of[i * B + j], 0, 'the same entity');
        // Four deviations of a frequency of so many draws.
        else
          assert.ok(Math.abs(of[i * B + j]! - p) < 4 * Math.sqrt((p * (1 - p)) / draws) + 1e-9, `${i} ${j}`);
      }
    }
  }
});

test('a drawn text comes with its own length', async () => {
  // What stands on padding is another, so that a wrong mask would show.
  const [clean, dirty] = await Promise.all(
    [0, 13].map((pad) =>
      device.scope(() => {
        const pixels = device.tensor([B, 3, imageSize, imageSize], normal(B * 3 * imageSize ** 2, 5));
        const other = { ...texts, ids: texts.ids.map((id, i) => (mask[i] === 1 ? id : pad)) };
        const noise = drawNoise(device, B, new Random(2));
        return pairLosses(student, { texts: other, pixels, entities }, noise, 100).logits.read();
      }),
    ),
  );
  assert.is(clean!.length, 3 * B * 2);
  for (const [i, value] of clean!.entries()) assert.ok(Math.abs(value - dirty![i]!) < 1e-5, `logit ${i}`);
});

test.run();
