// Merges the letters of words into tokens with tiktoken. Where there is only a browser, package.json names
// word-merger.browser.ts instead of this file: tiktoken's WebAssembly would be five times the rest of the code.

import { Tiktoken } from 'tiktoken/lite';
import { mergeWord, utf8 } from './merge-word.ts';

export interface WordMerger {
  /** The ranks of the tokens of a word, which `Z` ends. */
  merge(word: string): ArrayLike<number>;
  /** Gives the memory back; the merger is of no use afterwards. */
  free(): void;
}

/** Words from which tiktoken is faster: it takes as long to begin as plain JavaScript takes for some thousands. */
const manyWords = 2048;

/** A merger by the ranks of byte strings (one character a byte), every byte's own among them. */
export function createWordMerger(rankOf: ReadonlyMap<string, number>): WordMerger {
  let bpe: Tiktoken | null = null;
  let words = 0;
  return {
    merge(word) {
      if (++words <= manyWords) return mergeWord(`${utf8(word)}Z`, rankOf);
      bpe ??= openTiktoken(rankOf);
      return bpe.encode_ordinary(`${word}Z`);
    },
    free: () => bpe?.free(),
  };
}

function openTiktoken(rankOf: ReadonlyMap<string, number>): Tiktoken {
  const ranks = `! 0 ${Array.from(rankOf.keys(), (token) => btoa(token)).join(' ')}`;
  return new Tiktoken(ranks, {}, '[^Z]+Z');
}
