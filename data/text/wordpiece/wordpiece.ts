// BERT's uncased WordPiece tokenizer (Wu et al. 2016, arXiv:1609.08144; google-research/bert), from its list of tokens. Gives the
// ids of Hugging Face's BertTokenizer. Reads no files (wordpiece-files.ts does) and knows no model.

import { InputError } from '../../../files/errors.ts';
import { basicWords } from './basic-words.ts';

/** Tokens that a text may spell. */
const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;
const SPELT = /(\[(?:PAD|UNK|CLS|SEP|MASK)\])/;

/** Code points of the longest word that is taken apart; longer ones are unknown. */
const LONGEST_WORD = 100;

/** Words whose ids are remembered, before all are forgotten. */
const KEPT_WORDS = 2 ** 16;

export interface WordPiece {
  /** Tokens by id. */
  readonly tokens: readonly string[];
  readonly padId: number;
  readonly clsId: number;
  readonly sepId: number;
  /** Token ids of `text`, without [CLS] and [SEP]. The special tokens' spellings in the text give their ids. */
  encode(text: string): number[];
}

/**
 * A tokenizer from its tokens in the order of their ids. A word is taken apart from its beginning, the longest token first;
 * one that cannot be covered is [UNK] as a whole. Throws InputError, one line that begins with `file`, when a special token
 * is missing.
 */
export function createWordPiece(tokens: readonly string[], file = 'vocab.txt'): WordPiece {
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const [padId, unknown, clsId, sepId] = SPECIAL.map((token) => {
    const id = idOf.get(token);
    if (id === undefined) throw new InputError(`${file}: token ${token} is missing`);
    return id;
  }) as [number, number, number, number, number];
  const longest = tokens.reduce((most, token) => Math.max(most, token.length), 0);
  const kept = new Map<string, readonly number[]>();

  const idsOf = (word: string): readonly number[] => {
    const known = kept.get(word);
    if (known !== undefined) return known;
    const ids = pieces(word, idOf, longest) ?? [unknown];
    if (kept.size === KEPT_WORDS) kept.clear();
    kept.set(word, ids);
    return ids;
  };

  return {
    tokens,
    padId,
    clsId,
    sepId,
    encode(text) {
      const ids: number[] = [];
      // Every second part is a special token.
      for (const [i, part] of text.split(SPELT).entries()) {
        if (i % 2 === 1) ids.push(idOf.get(part)!);
        else for (const word of basicWords(part)) ids.push(...idsOf(word));
      }
      return ids;
    },
  };
}

/** The ids of a word's pieces; null where it cannot be covered or is too long. */
function pieces(word: string, idOf: ReadonlyMap<string, number>, longest: number): number[] | null {
  // A word of more UTF-16 units than twice the code points allowed need not be counted.
  if (word.length > 2 * LONGEST_WORD || [...word].length > LONGEST_WORD) return null;
  const ids: number[] = [];
  for (let start = 0; start < word.length; ) {
    const prefix = start === 0 ? '' : '##';
    let end = Math.min(word.length, start + longest);
    let id: number | undefined;
    for (; end > start; end--) {
      id = idOf.get(prefix + word.slice(start, end));
      if (id !== undefined) break;
    }
    if (id === undefined) return null;
    ids.push(id);
    start = end;
  }
  return ids;
}
