// Loads a WordPiece tokenizer from a folder in Hugging Face's layout: vocab.txt, or tokenizer.json where there is none.

import { InputError } from '../../../files/errors.ts';
import { kindOf } from '../../../files/json/json-fields.ts';
import { isThere, locate, parseJsonObject, readSmallText } from '../../../files/locate.ts';
import { createWordPiece, type WordPiece } from './wordpiece.ts';

/** Bytes of the largest file of a vocabulary. */
const mostBytes = 2 ** 25;

/**
 * The tokenizer of the vocabulary in `folder`, a path or an http(s) address. Throws one line naming the file and what is wrong
 * with it: missing, no WordPiece, cased, a gap in the ids, a special token missing.
 */
export async function loadWordPiece(folder: string): Promise<WordPiece> {
  const [list, whole, about] = ['vocab.txt', 'tokenizer.json', 'tokenizer_config.json'].map((name) =>
    locate(folder, name),
  ) as [string, string, string];
  if (await isThere(about)) {
    checkUncased(
      about,
      'do_lower_case',
      parseJsonObject(about, await readSmallText(about, mostBytes))['do_lower_case'],
    );
  }
  if (!(await isThere(list)) && (await isThere(whole))) {
    return createWordPiece(tokensOf(whole, await readSmallText(whole, mostBytes)), whole);
  }
  const lines = (await readSmallText(list, mostBytes)).split('\n').map((line) => line.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  return createWordPiece(lines, list);
}

/** The tokens of a tokenizer.json, by id. */
function tokensOf(file: string, text: string): string[] {
  const { model, normalizer } = parseJsonObject(file, text) as Record<string, Fields | null | undefined>;
  checkUncased(file, 'normalizer.lowercase', normalizer?.['lowercase']);
  if (model?.['type'] !== undefined && model['type'] !== 'WordPiece') {
    throw new InputError(`${file}: model.type: expected "WordPiece", found ${kindOf(model['type'])}`);
  }
  const vocab = model?.['vocab'];
  if (typeof vocab !== 'object' || vocab === null || Array.isArray(vocab)) {
    throw new InputError(`${file}: model.vocab: expected an object of token to id`);
  }
  const tokens: string[] = [];
  const entries = Object.entries(vocab);
  for (const [token, id] of entries) {
    const isId = Number.isInteger(id) && id >= 0 && id < entries.length && tokens[id] === undefined;
    if (!isId) {
      throw new InputError(
        `${file}: model.vocab: id of ${JSON.stringify(token)} is ${kindOf(id)}, expected each of 0..${entries.length - 1} once`,
      );
    }
    tokens[id] = token;
  }
  return tokens;
}

type Fields = Record<string, unknown>;

/** Only lower-casing vocabularies are read. */
function checkUncased(file: string, field: string, value: unknown): void {
  if (value === false) throw new InputError(`${file}: ${field}: expected true (uncased), found false`);
}
