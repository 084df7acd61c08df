// Patches of images against a reference, and the gradient of the pixels.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../../engine/device.ts';
import { ShapeError } from '../../../../engine/errors.ts';
import { patchEmbedding, patchify } from '../../../../engine/ops/images/patch-embedding.ts';
import { device } from '../../../support/device.ts';
import { checkGradients } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

interface Case {
  images: number;
  channels: number;
  height: number;
  width: number;
  p: number;
  d: number;
}
const cases: Case[] = [
  { images: 1, channels: 1, height: 1, width: 1, p: 1, d: 1 },
  { images: 2, channels: 3, height: 8, width: 8, p: 4, d: 5 },
  { images: 3, channels: 2, height: 9, width: 6, p: 3, d: 65 },
  { images: 1, channels: 3, height: 7, width: 11, p: 3, d: 4 }, // a border without a whole patch
];

test('a patch embedding is a strided convolution, forward and backward', async () => {
  for (const c of cases) {
    await checkGradients({
      op: patchEmbedding,
      reference: (pixels, weight) => strided(c, pixels, weight),
      shapes: [
        [c.images, c.channels, c.height, c.width],
        [c.d, c.channels, c.p, c.p],
      ],
    });
  }
});

test('a bias is added to every patch', async () => {
  const c: Case = { images: 2, channels: 3, height: 8, width: 8, p: 4, d: 5 };
  await checkGradients({
    op: patchEmbedding,
    reference: (pixels, weight, bias) => strided(c, pixels, weight).map((y, i) => y + bias[i % c.d]!),
    shapes: [[c.images, c.channels, c.height, c.width], [c.d, c.channels, c.p, c.p], [c.d]],
  });
});

test('patchify moves any elements, in parts where the images exceed a binding', async () => {
  const small = await openDevice({ maxBindingBytes: 8192 });
  const values = normal(41 * 3 * 6 * 6, 1);
  values[5] = Number.NaN;
  values[6] = Infinity;
  const whole = await patchify(device.tensor([41, 3, 6, 6], values), 2).read();
  assert.equal([...(await patchify(small.tensor([41, 3, 6, 6], values), 2).read())], [...whole]);
  assert.equal([...whole.subarray(0, 4)], [...[0, 1, 6, 7].map((i) => values[i]!)].map(Math.fround));
  small.destroy();
});

test('wrong shapes are refused', () => {
  const pixels = device.zeros([1, 3, 4, 4]);
  for (const weight of [
    [5, 3, 2],
    [5, 3, 2, 3],
    [5, 2, 2, 2],
    [5, 3, 8, 8],
  ]) {
    assert.throws(
      () => patchEmbedding(pixels, device.zeros(weight)),
      (e: unknown) => e instanceof ShapeError,
    );
  }
});

function strided(
  { images, channels, height, width, p, d }: Case,
  pixels: Float64Array,
  weight: Float64Array,
): number[] {
  const y: number[] = [];
  for (let image = 0; image < images; image++) {
    for (let row = 0; row + p <= height; row += p) {
      for (let column = 0; column + p <= width; column += p) {
        for (let o = 0; o < d; o++) {
          let total = 0;
          for (let k = 0; k < channels * p * p; k++) {
            const [channel, dy, dx] = [Math.floor(k / (p * p)), Math.floor(k / p) % p, k % p];
            const line = (image * channels + channel) * height + row + dy;
            total += weight[o * channels * p * p + k]! * pixels[line * width + column + dx]!;
          }
          y.push(total);
        }
      }
    }
  }
  return y;
}

test.run();
