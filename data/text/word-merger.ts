// Merges the letters of words into tokens with tiktoken. Where there is only a browser, package.json names
// word-merger.browser.ts instead of this file: tiktoken's WebAssembly would be five times the rest of the code.

import { Tiktoken } from 'tiktoken/lite';

export interface WordMerger {
  /** The ranks of the tokens of a word, which `Z` ends. */
  merge(word: string): ArrayLike<number>;
  /** Gives the memory back; the merger is of no use afterwards. */
  free(): void;
}

/** A merger by the ranks of byte strings (one character a byte), every byte's own among them. */
export function createWordMerger(rankOf: ReadonlyMap<string, number>): WordMerger {
  const ranks = `! 0 ${Array.from(rankOf.keys(), (token) => btoa(token)).join(' ')}`;
  const bpe = new Tiktoken(ranks, {}, '[^Z]+Z');
  return { merge: (word) => bpe.encode_ordinary(`${word}Z`), free: () => bpe.free() };
}
