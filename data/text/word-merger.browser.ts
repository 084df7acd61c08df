// What word-merger.ts does, in plain JavaScript, for browsers: the same ranks.

import { mergeWord, utf8 } from './merge-word.ts';
import type { WordMerger } from './word-merger.ts';

/** A merger by the ranks of byte strings (one character a byte), every byte's own among them. */
export function createWordMerger(rankOf: ReadonlyMap<string, number>): WordMerger {
  return { merge: (word) => mergeWord(`${utf8(word)}Z`, rankOf), free: () => {} };
}
