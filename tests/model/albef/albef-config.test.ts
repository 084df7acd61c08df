// config.json of an ALBEF: what is left out, and one line for each kind of damage.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WeightsError } from '../../../files/errors.ts';
import { parseAlbefConfig, readAlbefConfig } from '../../../model/albef/albef-config.ts';
import { smallAlbef, smallAlbefFields } from '../../support/albef/small-albef.ts';

const parse = (fields: unknown) => parseAlbefConfig('config.json', JSON.stringify(fields));

test('an empty file describes ALBEF.pth', () => {
  assert.equal(parse({}), {
    text: {
      ...{ width: 768, hidden: 3072, heads: 12, layers: 12 },
      ...{ vocabulary: 30522, maxLength: 512, types: 2, eps: 1e-12 },
    },
    fusionLayer: 6,
    vision: { width: 768, hidden: 3072, heads: 12, layers: 12, imageSize: 256, patchSize: 16 },
    projection: 256,
  });
  assert.is(parse({ image_res: 384 }).vision.imageSize, 384);
});

test('every field counts', () => {
  assert.equal(parse(smallAlbefFields()), smallAlbef);
});

test('damage and other networks: one line with file and field', () => {
  const cases: [unknown, string][] = [
    [[], 'config.json: expected a JSON object'],
    [{ model_type: 'blip' }, 'config.json: model_type: expected "albef", found "blip"'],
    [{ vision_config: 3 }, 'config.json: vision_config: expected an object, found 3'],
    [
      { text_config: { hidden_act: 'relu' } },
      'config.json: text_config.hidden_act: expected "gelu", found "relu"',
    ],
    [
      { text_config: { fusion_layer: 12 } },
      'config.json: text_config.fusion_layer: expected less than num_hidden_layers 12, found 12',
    ],
    [
      { text_config: { encoder_width: 1024 } },
      'config.json: text_config.encoder_width: expected vision_config.embed_dim 768, found 1024',
    ],
    [
      { vision_config: { num_heads: 7 } },
      'config.json: vision_config.num_heads: expected a divisor of embed_dim 768, found 7',
    ],
    [
      { vision_config: { mlp_ratio: 1.001 } },
      'config.json: vision_config.mlp_ratio: expected a number that makes embed_dim 768 a whole width, found 1.001',
    ],
    [{ image_res: 8 }, 'config.json: vision_config.patch_size: expected at most image_res 8, found 16'],
    [{ embed_dim: 1e9 }, 'config.json: embed_dim: expected at most 16384, found 1000000000'],
    [
      { vision_config: { depth: 0 } },
      'config.json: vision_config.depth: expected a positive integer, found 0',
    ],
  ];
  for (const [fields, message] of cases) {
    try {
      parse(fields);
      assert.unreachable(message);
    } catch (error) {
      assert.instance(error, WeightsError);
      assert.is((error as Error).message, message);
    }
  }
});

test('a missing file is named', async () => {
  const error = await readAlbefConfig('/no/such/config.json').catch((error: Error) => error);
  assert.is((error as Error).message, '/no/such/config.json: no such file');
});

test.run();
