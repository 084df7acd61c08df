// The tiny vocabulary of the tests (2,977 tokens in CLIP's format) and a helper for error messages.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const tinyFolder = fileURLToPath(new URL('./tiny-vocabulary/', import.meta.url));

export const tinyVocabulary = JSON.parse(readFileSync(`${tinyFolder}vocab.json`, 'utf8')) as Record<
  string,
  number
>;

export const tinyMerges = readFileSync(`${tinyFolder}merges.txt`, 'utf8');

/** The message `action` throws, or 'no error'. */
export function messageOf(action: () => unknown): string {
  try {
    action();
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
}
