// Kind `wordpiece`: ids of texts, and what BERT and BLINK pack of them. The texts stand in the case's config.

import { packContext, packEntity, packPair, splitAtMention } from '../../data/text/wordpiece/packing.ts';
import { createWordPiece } from '../../data/text/wordpiece/wordpiece.ts';
import type { CaseConfig } from './case.ts';
import type { Kind, Results } from './kind.ts';

interface Asked {
  pairs: { first: string; second: string; length: number };
  contexts: { word: string; sentence: string; length: number };
  entities: { name: string; attributes: string; length: number };
}

const fieldsOf = {
  pairs: ['first', 'second'],
  contexts: ['word', 'sentence'],
  entities: ['name', 'attributes'],
} as const;

export const wordpiece: Kind = async ({ config }) => {
  const tokenizer = createWordPiece(config.get<string[]>('vocab', 'a list of strings', areStrings));
  const encode = (text: string) => tokenizer.encode(text);
  const texts = config.get<string[]>('texts', 'a list of strings', areStrings);
  const pairs = listOf(config, 'pairs').map(({ first, second, length }) =>
    packPair(tokenizer, encode(first), encode(second), length),
  );
  const contexts = listOf(config, 'contexts').map(({ word, sentence, length }) => {
    const { left, right } = splitAtMention(word, sentence);
    return packContext(tokenizer, encode(left), encode(word), encode(right), length);
  });
  const entities = listOf(config, 'entities').map(({ name, attributes, length }) =>
    packEntity(tokenizer, encode(name), encode(attributes), length),
  );
  return {
    ...rows('texts', texts.map(encode)),
    ...rows(
      'pairs',
      pairs.map(({ ids }) => ids),
    ),
    ...rows('contexts', contexts),
    ...rows('entities', entities),
    'output/pairs_types': Int32Array.from(pairs.flatMap(({ types }) => types)),
  };
};

/** All rows one after another, and how long each is. */
function rows(name: string, lists: readonly number[][]): Results {
  return {
    [`output/${name}_ids`]: Int32Array.from(lists.flat()),
    [`output/${name}_length`]: Int32Array.from(lists, (list) => list.length),
  };
}

function listOf<Name extends keyof Asked>(config: CaseConfig, name: Name): Asked[Name][] {
  const fields: readonly string[] = fieldsOf[name];
  const fits = (row: unknown) => {
    const given = (row ?? {}) as Record<string, unknown>;
    return fields.every((field) => typeof given[field] === 'string') && Number.isInteger(given['length']);
  };
  const expected = `a list of objects with ${fields.join(', ')} and length`;
  return config.get(name, expected, (value) => Array.isArray(value) && value.every(fits));
}

function areStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
