// How long texts are: in characters, words, and tokens of a CLIP tokenizer.

import type { Tokenizer } from './tokenizer.ts';

/** Of some lengths: `p95` is the smallest that at least 95 % do not exceed. */
export interface Summary {
  mean: number;
  median: number;
  p95: number;
  max: number;
}

/** Tokens count BOS and EOS. `over` says how many texts the limits 40 (MIMIC) and 77 (CLIP) cut. */
export interface Lengths {
  texts: number;
  characters: Summary;
  words: Summary;
  tokens: (Summary & { over: Record<40 | 77, number> }) | null;
}

/** The lengths of `texts`; characters are Unicode's, words are what white space separates. */
export function lengthsOf(texts: readonly string[], tokenizer: Tokenizer | null): Lengths {
  const tokens = tokenizer && Float64Array.from(texts, (text) => tokenizer.encode(text).length + 2);
  const over = (limit: number): number => tokens?.reduce((sum, each) => sum + Number(each > limit), 0) ?? 0;
  return {
    texts: texts.length,
    characters: summary(Float64Array.from(texts, (text) => [...text].length)),
    words: summary(Float64Array.from(texts, (text) => text.match(/\S+/g)?.length ?? 0)),
    tokens: tokens && { ...summary(tokens), over: { 40: over(40), 77: over(77) } },
  };
}

/** Mean, median, 95th percentile and maximum; all 0 of nothing. */
export function summary(values: Float64Array): Summary {
  const sorted = values.toSorted();
  const at = (place: number): number => sorted[place] ?? 0;
  const half = (sorted.length - 1) / 2;
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / Math.max(1, sorted.length),
    median: (at(Math.floor(half)) + at(Math.ceil(half))) / 2,
    p95: at(Math.ceil(0.95 * sorted.length) - 1),
    max: at(sorted.length - 1),
  };
}
