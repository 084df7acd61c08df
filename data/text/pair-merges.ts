// Sennrich et al. 2016 (https://arxiv.org/abs/1508.07909): the pair of neighbouring symbols that is most frequent in a list of words
// becomes a symbol, again and again. What symbols are, and what they are called, is the vocabulary's own matter.

import TinyQueue from 'tinyqueue';

/** A distinct word: its symbols (ids so far) and how often the texts have it. */
export interface CountedWord {
  symbols: number[];
  readonly count: number;
}

/** A pair of neighbouring symbols. */
export interface SymbolPair {
  readonly left: number;
  readonly right: number;
}

interface Pair extends SymbolPair {
  count: number;
  /** Words that held the pair when it was counted; may name words that no longer do. */
  readonly words: Set<number>;
}

/**
 * The most frequent pair of each moment, until none is in the words `minFrequency` times. `made` gives the id of the symbol that
 * the pair becomes, when the next one is asked for. Ties go to the pair of the lower ids, left first, so the result does not
 * depend on the order of the words. Changes the words' symbols.
 */
export function* mergePairs(
  words: readonly CountedWord[],
  minFrequency: number,
  made: (pair: SymbolPair) => number,
): Generator<SymbolPair, void> {
  const pairs = new PairCounts();
  for (const [index, word] of words.entries()) pairs.add(word, index, 1);
  for (;;) {
    const best = pairs.mostFrequent();
    if (best === undefined || best.count < minFrequency) return;
    yield best;
    const symbol = made(best);
    // A pair's symbol is longer than either of the pair, so `add` grows the sets of other pairs only.
    for (const index of best.words) {
      const word = words[index]!;
      pairs.add(word, index, -1);
      word.symbols = merge(word.symbols, best, symbol);
      pairs.add(word, index, 1);
    }
  }
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

  add(word: CountedWord, index: number, sign: 1 | -1): void {
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

function merge(symbols: readonly number[], pair: SymbolPair, made: number): number[] {
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
