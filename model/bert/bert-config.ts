// Hugging Face's config.json of a BERT: read and checked field by field, and written. Knows nothing of weights.

import { parseJsonObject, readSmallText } from '../../files/locate.ts';
import { type Fields, integersOf, mostConfigBytes, wrongField } from '../config-fields.ts';
import type { BertConfig } from './bert.ts';

/** What Hugging Face's BertConfig assumes for what a file leaves out. */
const defaults = {
  model_type: 'bert',
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  max_position_embeddings: 512,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  position_embedding_type: 'absolute',
  is_decoder: false,
} as const;

/** What a network of another kind has otherwise, and this one does not do. */
const fixed = ['model_type', 'hidden_act', 'position_embedding_type', 'is_decoder'] as const;

/** Reads the file at a path or an http(s) address. Throws WeightsError, one line with the file and the field. */
export async function readBertConfig(where: string): Promise<BertConfig> {
  return parseBertConfig(where, await readSmallText(where, mostConfigBytes));
}

/** Parses the text of a config.json; `file` is its name in errors. Throws WeightsError. */
export function parseBertConfig(file: string, text: string): BertConfig {
  return bertConfigOf(file, '', parseJsonObject(file, text));
}

/** The configuration that the fields of a section describe ('' for the file itself). Throws WeightsError. */
export function bertConfigOf(file: string, section: string, given: Fields): BertConfig {
  const fields = { ...defaults, ...given };
  const integer = integersOf(file, section, fields);
  const fail = (name: keyof typeof defaults, expected: string) => {
    throw wrongField(file, section, name, expected, fields[name]);
  };
  for (const name of fixed) if (fields[name] !== defaults[name]) fail(name, JSON.stringify(defaults[name]));
  const [width, heads] = [integer('hidden_size'), integer('num_attention_heads')];
  if (width % heads !== 0) fail('num_attention_heads', `a divisor of hidden_size ${width}`);
  const eps: unknown = fields.layer_norm_eps;
  if (typeof eps !== 'number' || !(eps > 0 && eps < 1))
    throw fail('layer_norm_eps', 'a number between 0 and 1');
  return {
    width,
    heads,
    hidden: integer('intermediate_size'),
    layers: integer('num_hidden_layers'),
    vocabulary: integer('vocab_size'),
    maxLength: integer('max_position_embeddings'),
    types: integer('type_vocab_size'),
    eps,
  };
}

/** The text of a config.json for weights in float16. */
export function bertConfigJson(config: BertConfig): string {
  const fields = { architectures: ['BertModel'], ...bertConfigFields(config), torch_dtype: 'float16' };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

/** What a config.json says of a BERT. */
export function bertConfigFields(config: Omit<BertConfig, 'crossAttention'>): Fields {
  return {
    ...defaults,
    vocab_size: config.vocabulary,
    hidden_size: config.width,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.hidden,
    max_position_embeddings: config.maxLength,
    type_vocab_size: config.types,
    layer_norm_eps: config.eps,
    pad_token_id: 0,
  };
}
