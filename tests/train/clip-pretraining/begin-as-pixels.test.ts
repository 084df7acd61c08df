// The vision encoder that begins as the pixels finds pictures again before it has learnt anything.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../../engine/random.ts';
import { type ClipConfig, ClipImageEncoder } from '../../../model/clip/clip.ts';
import { initialise } from '../../../model/initialise.ts';
import { pixelStart, writePixelStart } from '../../../train/clip-pretraining/image/begin-as-pixels.ts';
import { judgePictures, type Picture } from '../../../train/clip-pretraining/image/pictures.ts';
import { normalNumbers } from '../../../train/clip-pretraining/normal-numbers.ts';
import { device } from '../../support/device.ts';

const size = 32;
const count = 60;
const random = new Random(6);
const side = size / 8;

/** Eight by eight squares of random colours; what is asked for is those with noise on every pixel. */
const pictures: Picture[] = Array.from({ length: count }, (_, entity) => {
  const colours = normalNumbers(random, 3 * 64, 1);
  const pixels = new Float32Array(3 * size * size).map((_, i) => {
    const [x, y] = [i % size, Math.floor(i / size) % size];
    const colour = Math.floor(i / size ** 2);
    return colours[colour * 64 + Math.floor(y / side) * 8 + Math.floor(x / side)]!;
  });
  return { entity, pixels };
});
const asked = pictures.map(({ entity, pixels }) => {
  const noise = normalNumbers(random, pixels.length, 1.5);
  return { entity, pixels: pixels.map((value, i) => value + noise[i]!) };
});

const stack = { width: 64, hidden: 128, heads: 4, layers: 2 };
const shape: ClipConfig = {
  text: { ...stack, vocabulary: 4, maxLength: 4 },
  vision: { ...stack, imageSize: size, patchSize: 16 },
  projection: 64,
};

test('with noise on top nearly every picture finds itself; an encoder that begins as usual finds few', async () => {
  const found: number[] = [];
  for (const isPixels of [true, false]) {
    const { module, tensors } = initialise(
      device,
      new Random(2),
      (p) => new ClipImageEncoder(p, shape),
      isPixels ? pixelStart : undefined,
    );
    if (isPixels) await writePixelStart(device, module, tensors, pictures, 3);
    found.push((await judgePictures(device, module, pictures, asked))['hits@1']);
    for (const tensor of tensors.values()) tensor.release();
  }
  assert.ok(found[0]! > 90, `${found}`);
  assert.ok(found[1]! < 70, `${found}`);
});

test.run();
