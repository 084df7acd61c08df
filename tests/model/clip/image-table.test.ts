// Features of images: how often they are encoded where nothing is kept.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PixelSource } from '../../../data/images/pixel-source.ts';
import { clipPreprocessing } from '../../../data/images/preprocess.ts';
import type { FeatureOptions } from '../../../encoding/features.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { imageTable } from '../../../model/clip/image-table.ts';
import type { LoadedClip } from '../../../model/clip/load-clip.ts';
import { device } from '../../support/device.ts';

const source = new PixelSource([null, null, null], clipPreprocessing(16));

/** A CLIP that counts the images that it encodes. */
function countingClip() {
  const counts = { images: 0 };
  const encode = (pixels: Tensor) => {
    const [n] = pixels.shape as [number];
    counts.images += n;
    return { tokens: device.zeros([n, 2, 3]), embeds: device.zeros([n, 4]) };
  };
  const clip = {
    module: { vision: { tokens: 2, encode } },
    config: { vision: { width: 3 }, projection: 4 },
    tensors: new Map([['any', device.zeros([1])]]),
  } as unknown as LoadedClip;
  return { clip, counts };
}

const options = (): FeatureOptions => ({ source, files: [null, null, null], cache: null, clipHash: '' });

test('those who ask with the same options get images that are encoded once', async () => {
  const { clip, counts } = countingClip();
  const batch = options();
  const [one, two] = await Promise.all([
    imageTable(clip, [], [0, 1, 2], batch),
    imageTable(clip, [], [0, 1, 2], batch),
  ]);
  assert.is(one, two);
  assert.is(await imageTable(clip, [], [0, 1, 2], batch), one);
  assert.is(counts.images, 3);
});

test('other images, options, CLIPs and prompts have features of their own', async () => {
  const { clip, counts } = countingClip();
  const batch = options();
  await imageTable(clip, [], [0, 1, 2], batch);
  await imageTable(clip, [], [1, 2], batch);
  assert.is(counts.images, 5);
  await imageTable(clip, [], [1, 2], options());
  assert.is(counts.images, 7);
  await imageTable(clip, [device.zeros([1, 3])], [1, 2], batch);
  assert.is(counts.images, 9);
  const other = countingClip();
  await imageTable(other.clip, [], [1, 2], batch);
  assert.is(other.counts.images, 2);
});

test.run();
