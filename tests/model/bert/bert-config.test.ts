// config.json of a BERT: what is left out, and one line for each kind of damage.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WeightsError } from '../../../files/errors.ts';
import { parseBertConfig, readBertConfig } from '../../../model/bert/bert-config.ts';

const parse = (fields: unknown) => parseBertConfig('config.json', JSON.stringify(fields));

test('left-out fields have the values of bert-base-uncased', () => {
  const base = { width: 768, hidden: 3072, heads: 12, layers: 12 };
  const rest = { vocabulary: 30522, maxLength: 512, types: 2, eps: 1e-12 };
  assert.equal(parse({ model_type: 'bert', hidden_dropout_prob: 0.1 }), { ...base, ...rest });
  assert.is(parse({ hidden_size: 384, layer_norm_eps: 1e-5 }).eps, 1e-5);
});

test('damage and other networks: one line with file and field', () => {
  const cases: [unknown, string][] = [
    [[], 'config.json: expected a JSON object'],
    [{ model_type: 'roberta' }, 'config.json: model_type: expected "bert", found "roberta"'],
    [{ hidden_act: 'gelu_new' }, 'config.json: hidden_act: expected "gelu", found "gelu_new"'],
    [
      { position_embedding_type: 'relative_key' },
      'config.json: position_embedding_type: expected "absolute", found "relative_key"',
    ],
    [{ is_decoder: true }, 'config.json: is_decoder: expected false, found true'],
    [{ hidden_size: 0 }, 'config.json: hidden_size: expected a positive integer, found 0'],
    [{ num_hidden_layers: 1e6 }, 'config.json: num_hidden_layers: expected at most 1024, found 1000000'],
    [
      { num_attention_heads: 7 },
      'config.json: num_attention_heads: expected a divisor of hidden_size 768, found 7',
    ],
    [{ layer_norm_eps: 0 }, 'config.json: layer_norm_eps: expected a number between 0 and 1, found 0'],
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
  const error = await readBertConfig('/no/such/config.json').catch((error: Error) => error);
  assert.is((error as Error).message, '/no/such/config.json: no such file');
});

test.run();
