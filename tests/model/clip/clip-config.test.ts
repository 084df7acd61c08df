// config.json of a CLIP: what Hugging Face's files say, what they leave out, and one line for each kind of
// damage.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WeightsError } from '../../../files/errors.ts';
import { clipConfigJson, parseClipConfig, readClipConfig } from '../../../model/clip/clip-config.ts';

const parse = (fields: unknown) => parseClipConfig('config.json', JSON.stringify(fields));
const tiny = {
  text: { width: 64, hidden: 256, heads: 2, layers: 3, vocabulary: 3000, maxLength: 32 },
  vision: { width: 96, hidden: 384, heads: 3, layers: 3, imageSize: 64, patchSize: 16 },
  projection: 48,
};

test('what is written is read back', () => {
  assert.equal(parseClipConfig('config.json', clipConfigJson(tiny, 2998, 2999)), {
    config: tiny,
    eosId: 2999,
  });
});

test('left-out fields have the values of ViT-B/32', () => {
  const { config, eosId } = parse({ model_type: 'clip' });
  assert.equal(config, {
    text: { width: 512, hidden: 2048, heads: 8, layers: 12, vocabulary: 49408, maxLength: 77 },
    vision: { width: 768, hidden: 3072, heads: 12, layers: 12, imageSize: 224, patchSize: 32 },
    projection: 512,
  });
  assert.is(eosId, 49407);
});

test('the end token: its id, or in old files 2, which stands for the highest id', () => {
  assert.is(parse({ text_config: { eos_token_id: 2 } }).eosId, 49407);
  assert.is(parse({ text_config: { eos_token_id: 2, vocab_size: 600 } }).eosId, 599);
  assert.is(parse({ text_config: { eos_token_id: 598, vocab_size: 600 } }).eosId, 598);
});

test('old files repeat a section, and the repetition counts', () => {
  const fields = {
    vision_config: { patch_size: 32 },
    vision_config_dict: { patch_size: 14 },
    text_config_dict: null,
  };
  assert.is(parse(fields).config.vision.patchSize, 14);
});

test('damage: one line with file and field', () => {
  const cases: [unknown, string][] = [
    [[], 'config.json: expected a JSON object'],
    [{ model_type: 'bert' }, 'config.json: model_type: expected "clip", found "bert"'],
    [{ text_config: 3 }, 'config.json: text_config: expected an object, found 3'],
    [
      { text_config: { hidden_size: '512' } },
      'config.json: text_config.hidden_size: expected a positive integer, found "512"',
    ],
    [{ projection_dim: 0 }, 'config.json: projection_dim: expected a positive integer, found 0'],
    [
      { text_config: { num_hidden_layers: 1e9 } },
      'config.json: text_config.num_hidden_layers: expected at most 1024, found 1000000000',
    ],
    [{ projection_dim: 2 ** 40 }, 'config.json: projection_dim: expected at most 16384, found 1099511627776'],
    [
      { text_config: { num_attention_heads: 7 } },
      'config.json: text_config.num_attention_heads: expected a divisor of hidden_size 512, found 7',
    ],
    [
      { vision_config: { hidden_act: 'gelu' } },
      'config.json: vision_config.hidden_act: expected "quick_gelu", found "gelu"',
    ],
    [
      { vision_config: { layer_norm_eps: 1e-6 } },
      'config.json: vision_config.layer_norm_eps: expected 0.00001, found 0.000001',
    ],
    [{ vision_config: { num_channels: 1 } }, 'config.json: vision_config.num_channels: expected 3, found 1'],
    [
      { vision_config: { patch_size: 300 } },
      'config.json: vision_config.patch_size: expected at most image_size 224, found 300',
    ],
    [
      { text_config: { vocab_size: 100 } },
      'config.json: text_config.eos_token_id: expected less than vocab_size 100, found 49407',
    ],
  ];
  for (const [fields, message] of cases)
    assert.is(
      messageOf(() => parse(fields)),
      message,
    );
  assert.match(
    messageOf(() => parseClipConfig('a/config.json', '{"text')),
    /^a\/config\.json: not JSON \(.*\)$/,
  );
});

test('a missing file is named', async () => {
  try {
    await readClipConfig('/no/such/config.json');
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, '/no/such/config.json: no such file');
  }
});

test.run();

function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    assert.instance(error, WeightsError);
    return (error as Error).message;
  }
  return assert.unreachable('expected an error') as never;
}
