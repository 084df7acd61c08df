// Loads the tokenizer from a folder in Hugging Face's layout: vocab.json and merges.txt.

import { InputError, oneLine } from '../../files/errors.ts';
import { locate, readSmallText } from '../../files/locate.ts';
import type { Tokenizer } from './tokenizer.ts';
import { createTokenizer } from './tokenizer.ts';

/** Bytes of the largest file of a vocabulary. */
const mostBytes = 2 ** 24;

/**
 * The tokenizer of the vocab.json and merges.txt in `folder`, a path or an http(s) address. Throws one line naming the file and what is wrong
 * with it: missing, not JSON, no table of token ids, or what `createTokenizer` finds.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const vocabFile = locate(folder, 'vocab.json');
  const vocab = parseVocabulary(vocabFile, await readSmallText(vocabFile, mostBytes));
  const merges = await readSmallText(locate(folder, 'merges.txt'), mostBytes);
  try {
    return createTokenizer(vocab, merges);
  } catch (error) {
    throw error instanceof InputError
      ? new InputError(`${folder.replace(/\/$/, '')}/${error.message}`)
      : error;
  }
}

function parseVocabulary(path: string, text: string): Record<string, number> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path}: not JSON (${oneLine((error as Error).message)})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(`${path}: expected one object of token to id`);
  }
  return value as Record<string, number>;
}
