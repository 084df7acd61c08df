// Loads the tokenizer from a folder in Hugging Face's layout: vocab.json and merges.txt.

import { join } from 'node:path';
import { InputError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';
import type { Tokenizer } from './tokenizer.ts';
import { createTokenizer } from './tokenizer.ts';

/**
 * The tokenizer of `folder`'s vocab.json and merges.txt. Throws one line naming the file and what is wrong
 * with it: missing, not JSON, no table of token ids, or what `createTokenizer` finds.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const vocab = parseVocabulary(join(folder, 'vocab.json'), await readText(join(folder, 'vocab.json')));
  const merges = await readText(join(folder, 'merges.txt'));
  try {
    return createTokenizer(vocab, merges);
  } catch (error) {
    throw error instanceof InputError ? new InputError(join(folder, error.message)) : error;
  }
}

function parseVocabulary(path: string, text: string): Record<string, number> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path}: not JSON (${(error as Error).message})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(`${path}: expected one object of token to id`);
  }
  return value as Record<string, number>;
}
