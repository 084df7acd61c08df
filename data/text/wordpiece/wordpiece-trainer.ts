// Trains an uncased WordPiece vocabulary on text, in the order of bert-base-uncased: [PAD] 0, [unused0..98], [UNK] 100, [CLS] 101,
// [SEP] 102, [MASK] 103, then characters, then merged pieces. Google's own trainer was never published; this one merges the most
// frequent pair, as Hugging Face's does. Pure: strings in, the lines of vocab.txt out.

import { InputError } from '../../../files/errors.ts';
import { type CountedWord, mergePairs } from '../pair-merges.ts';
import { basicWords } from './basic-words.ts';

interface WordPieceOptions {
  /** Tokens wanted, the 104 special and unused ones counted; fewer come if the pairs run out. */
  readonly vocabularySize: number;
  /** A pair seen less often than this in the texts is not merged, nor is a rarer character kept (default 2). */
  readonly minFrequency?: number;
}

/** The tokens that every vocabulary begins with, by id. */
export const reservedTokens: readonly string[] = [
  '[PAD]',
  ...Array.from({ length: 99 }, (_, i) => `[unused${i}]`),
  '[UNK]',
  '[CLS]',
  '[SEP]',
  '[MASK]',
];

/**
 * The tokens by id. Characters that begin a word stand before those that go on with one (`##`). The result does not depend on
 * the order of the texts. Throws InputError for a size that the characters do not fit in.
 */
export function trainWordPiece(
  texts: Iterable<string>,
  { vocabularySize, minFrequency = 2 }: WordPieceOptions,
): string[] {
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const word of basicWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const tokens = [...reservedTokens, ...alphabetOf(counts, minFrequency)];
  if (!Number.isInteger(vocabularySize) || vocabularySize < tokens.length) {
    throw new InputError(
      `a vocabulary of ${vocabularySize} tokens: expected an integer of at least ${tokens.length}, for special tokens and the texts' characters`,
    );
  }
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const words: CountedWord[] = [];
  for (const [word, count] of counts) {
    const symbols = charactersOf(word).map((symbol) => idOf.get(symbol) ?? -1);
    // A word with a character that is not kept is unknown.
    if (!symbols.includes(-1)) words.push({ symbols, count });
  }
  // Two pairs can become the same piece: un + able and una + ble.
  const piece = (left: number, right: number) => `${tokens[left]}${tokens[right]!.slice(2)}`;
  const made = ({ left, right }: { left: number; right: number }) => idOf.get(piece(left, right))!;
  for (const { left, right } of mergePairs(words, minFrequency, made)) {
    const token = piece(left, right);
    if (idOf.has(token)) continue;
    if (tokens.length === vocabularySize) break;
    idOf.set(token, tokens.push(token) - 1);
  }
  return tokens;
}

/** The characters that the words have often enough, as tokens. */
function alphabetOf(counts: ReadonlyMap<string, number>, minFrequency: number): string[] {
  const often = new Map<string, number>();
  for (const [word, count] of counts) {
    for (const symbol of charactersOf(word)) often.set(symbol, (often.get(symbol) ?? 0) + count);
  }
  const kept = [...often].filter(([, count]) => count >= minFrequency).map(([symbol]) => symbol);
  const begins = (symbol: string) => !symbol.startsWith('##');
  return [...kept.filter(begins).sort(), ...kept.filter((symbol) => !begins(symbol)).sort()];
}

/** A word's characters, those after the first marked as going on with it. */
function charactersOf(word: string): string[] {
  return Array.from(word, (character, i) => (i === 0 ? character : `##${character}`));
}
