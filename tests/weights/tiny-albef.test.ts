// The shipped tiny ALBEF: what it is made of, and that it loads with its vocabulary and its matching head.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadWordPiece } from '../../data/text/wordpiece/wordpiece-files.ts';
import { packageRoot } from '../../files/package-path.ts';
import { loadAlbef } from '../../model/albef/load-albef.ts';
import { openSafetensors } from '../../weights/safetensors.ts';
import { device } from '../support/device.ts';

const folder = join(packageRoot(), 'weights/tiny-albef');

test('float16, under 2.5 MB, with the names of the released checkpoints', async () => {
  const file = join(folder, 'model.safetensors');
  assert.ok(statSync(file).size < 2.5e6);
  const shipped = await openSafetensors(file);
  for (const name of shipped.names) assert.is(shipped.info(name).dtype, 'F16', name);
  for (const name of [
    'temp',
    'itm_head.weight',
    'text_encoder.encoder.layer.2.crossattention.self.key.weight',
  ]) {
    assert.ok(shipped.has(name), name);
  }
  await shipped.close();
});

test('it loads as the baselines have it: 2 + 2 layers of text, 3 of images, its own vocabulary', async () => {
  const { config, matching, tensors } = await loadAlbef(device, folder, { matching: true });
  assert.ok(matching);
  assert.equal([config.text.width, config.text.layers, config.fusionLayer], [64, 4, 2]);
  assert.equal(config.vision, {
    ...{ width: 96, hidden: 384, heads: 3, layers: 3 },
    ...{ imageSize: 64, patchSize: 16 },
  });
  assert.is(config.projection, 64);
  assert.is((await loadWordPiece(folder)).tokens.length, config.text.vocabulary);
  for (const tensor of tensors.values()) tensor.release();
});

test.run();
