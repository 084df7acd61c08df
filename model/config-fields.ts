// Fields of a config.json, checked one by one. What the readers of CLIP's, BERT's and ALBEF's share.

import { WeightsError } from '../files/errors.ts';
import { jsonOf } from '../files/json/json-fields.ts';

export type Fields = Record<string, unknown>;

/** Far above any encoder there is: larger numbers are mistakes, to be refused before anything is made of them. */
const limits: Readonly<Record<string, number>> = {
  vocab_size: 2 ** 22,
  hidden_size: 2 ** 14,
  intermediate_size: 2 ** 16,
  num_hidden_layers: 1024,
  num_attention_heads: 1024,
  max_position_embeddings: 2 ** 16,
  type_vocab_size: 2 ** 10,
  image_size: 2 ** 13,
  patch_size: 2 ** 13,
  projection_dim: 2 ** 14,
  embed_dim: 2 ** 14,
  depth: 1024,
  num_heads: 1024,
  image_res: 2 ** 13,
};

/** Honest files have a few thousand bytes. */
export const mostConfigBytes = 2 ** 20;

/** Access to the fields of a section ('' for the file itself) that must be positive integers within their limits. */
export function integersOf(file: string, section: string, fields: Fields): (name: string) => number {
  return (name) => {
    const value = fields[name];
    const most = limits[name] ?? Number.MAX_SAFE_INTEGER;
    const isCount = Number.isSafeInteger(value) && (value as number) > 0;
    if (isCount && (value as number) <= most) return value as number;
    throw wrongField(file, section, name, isCount ? `at most ${most}` : 'a positive integer', value);
  };
}

/** The error of a field that is not what was expected. */
export function wrongField(
  file: string,
  section: string,
  name: string,
  expected: string,
  found: unknown,
): WeightsError {
  const field = section === '' ? name : `${section}.${name}`;
  return new WeightsError(`${file}: ${field}: expected ${expected}, found ${shown(found)}`);
}

/** A value of a JSON file, cut short where it is long. */
function shown(value: unknown): string {
  const text = jsonOf(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
