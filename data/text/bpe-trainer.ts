// Trains a byte-level BPE vocabulary in CLIP's format on text: Sennrich et al. 2016
// (https://arxiv.org/abs/1508.07909) over bytes, with `</w>` on a word's last byte. Pure: strings in,
// contents of vocab.json and merges.txt out.

import TinyQueue from 'tinyqueue';
import { BEGIN_TOKEN, BYTE_ORDER, BYTE_TO_CHAR, END_OF_WORD, END_TOKEN } from './byte-alphabet.ts';
import { clipWords } from './clip-words.ts';

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

/** A distinct word: its symbols (ids so far) and how often the texts have it. */
interface Word {
  symbols: number[];
  readonly count: number;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Words that held the pair when it was counted; may name words that no longer do. */
  readonly words: Set<number>;
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
  const pairs = new PairCounts();
  for (const [index, word] of words.entries()) pairs.add(word, index, 1);

  const merges: string[] = [];
  while (tokens.length < vocabularySize - SPECIALS) {
    const best = pairs.mostFrequent();
    if (best === undefined || best.count < minFrequency) break;
    const made = tokens.length;
    merges.push(`${tokens[best.left]} ${tokens[best.right]}`);
    tokens.push(`${tokens[best.left]}${tokens[best.right]}`);
    // `add` grows the sets of other pairs only: the merged pair cannot arise again.
    for (const index of best.words) {
      const word = words[index] as Word;
      pairs.add(word, index, -1);
      word.symbols = merge(word.symbols, best, made);
      pairs.add(word, index, 1);
    }
  }
  tokens.push(BEGIN_TOKEN, END_TOKEN);
  return {
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: `${['#version: 0.2', ...merges].join('\n')}\n`,
  };
}

/** A pair with the count that it had when it was queued. */
interface Queued {
  readonly pair: Pair;
  readonly count: number;
}

/** Counts of adjacent pairs over all words, changed one word at a time. */
class PairCounts {
  readonly #pairs = new Map<number, Pair>();
  /** The most frequent first; what a later count has made wrong is passed over when it comes up. */
  readonly #queue = new TinyQueue<Queued>(
    [],
    (a, b) => b.count - a.count || (isLower(a.pair, b.pair) ? -1 : 1),
  );
  /** Pairs whose count is not in the queue yet. */
  readonly #changed = new Set<Pair>();

  add(word: Word, index: number, sign: 1 | -1): void {
    for (let i = 0; i + 1 < word.symbols.length; i++) {
      const left = word.symbols[i] as number;
      const right = word.symbols[i + 1] as number;
      const key = left * 2 ** 24 + right;
      let pair = this.#pairs.get(key);
      if (pair === undefined) {
        pair = { left, right, count: 0, words: new Set() };
        this.#pairs.set(key, pair);
      }
      pair.count += sign * word.count;
      this.#changed.add(pair);
      if (sign > 0) pair.words.add(index);
      else if (pair.count === 0) this.#pairs.delete(key);
    }
  }

  mostFrequent(): Pair | undefined {
    for (const pair of this.#changed) if (pair.count > 0) this.#queue.push({ pair, count: pair.count });
    this.#changed.clear();
    while (this.#queue.length > 0) {
      const { pair, count } = this.#queue.pop()!;
      if (pair.count === count) return pair;
    }
    return undefined;
  }
}

function isLower(a: Pair, b: Pair): boolean {
  return a.left < b.left || (a.left === b.left && a.right < b.right);
}

function countWords(texts: Iterable<string>): Word[] {
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

function merge(symbols: readonly number[], pair: Pair, made: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === pair.left && symbols[i + 1] === pair.right) {
      result.push(made);
      i++;
    } else {
      result.push(symbols[i] as number);
    }
  }
  return result;
}
