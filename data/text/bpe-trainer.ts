// Trains a byte-level BPE vocabulary in CLIP's format on text: Sennrich et al. 2016
// (https://arxiv.org/abs/1508.07909) over bytes, with `</w>` on a word's last byte. Pure: strings in,
// contents of vocab.json and merges.txt out.

import { BEGIN_TOKEN, BYTE_ORDER, BYTE_TO_CHAR, END_OF_WORD, END_TOKEN } from './byte-alphabet.ts';
import { clipWords } from './clip-words.ts';
import { type CountedWord, mergePairs } from './pair-merges.ts';

interface BpeOptions {
  /** Tokens wanted, the 512 byte tokens and 2 special tokens counted; fewer come if the pairs run out. */
  readonly vocabularySize: number;
  /** A pair seen less often than this in the texts is not merged (default 2). */
  readonly minFrequency?: number;
}

export interface BpeFiles {
  /** Token to id, in CLIP's order: bytes, bytes with `</w>`, merges, begin and end token. */
  readonly vocab: Record<string, number>;
  /** The text of merges.txt, version line included. */
  readonly merges: string;
}

const BYTES = 256;
const SPECIALS = 2;

/**
 * Merges the most frequent adjacent pair until the vocabulary is full. Ties go to the pair of the lower ids,
 * left first, so the result does not depend on the order of the texts.
 */
export function trainBpe(texts: Iterable<string>, options: BpeOptions): BpeFiles {
  const { vocabularySize, minFrequency = 2 } = options;
  if (!Number.isInteger(vocabularySize) || vocabularySize < 2 * BYTES + SPECIALS) {
    throw new Error(
      `vocabularySize is ${vocabularySize}, expected an integer of at least ${2 * BYTES + SPECIALS}`,
    );
  }
  if (!Number.isInteger(minFrequency) || minFrequency < 1) {
    throw new Error(`minFrequency is ${minFrequency}, expected an integer of at least 1`);
  }
  const tokens = ['', END_OF_WORD].flatMap((mark) => BYTE_ORDER.map((byte) => BYTE_TO_CHAR[byte] + mark));
  const words = countWords(texts);
  const merges: string[] = [];
  for (const { left, right } of mergePairs(words, minFrequency, () => tokens.length - 1)) {
    if (tokens.length >= vocabularySize - SPECIALS) break;
    merges.push(`${tokens[left]} ${tokens[right]}`);
    tokens.push(`${tokens[left]}${tokens[right]}`);
  }
  tokens.push(BEGIN_TOKEN, END_TOKEN);
  return {
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: `${['#version: 0.2', ...merges].join('\n')}\n`,
  };
}

function countWords(texts: Iterable<string>): CountedWord[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of clipWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  counts.delete(BEGIN_TOKEN);
  counts.delete(END_TOKEN);
  const idOf = new Map(BYTE_ORDER.map((byte, id) => [byte, id]));
  const encoder = new TextEncoder();
  return Array.from(counts, ([word, count]) => {
    const symbols = Array.from(encoder.encode(word), (byte) => idOf.get(byte) as number);
    symbols.push((symbols.pop() as number) + BYTES);
    return { symbols, count };
  });
}
