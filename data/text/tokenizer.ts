// CLIP's byte-level BPE tokenizer, from the contents of Hugging Face's vocab.json and merges.txt. Reads no files
// (tokenizer-files.ts does) and knows no model.
//
// word-merger.ts merges the two adjacent parts whose bytes together have the lowest rank; ranks are the order of merges.txt,
// and the ids of vocab.json are looked up afterwards, whatever their order. `</w>` is written as the byte Z, which lowercased
// text never holds, and each word goes in with a Z after it.

import { InputError } from '../../files/errors.ts';
import { kindOf } from '../../files/json/json-fields.ts';
import {
  BEGIN_TOKEN,
  BYTE_ORDER,
  BYTE_TO_CHAR,
  charToByte,
  END_OF_WORD,
  END_TOKEN,
} from './byte-alphabet.ts';
import { clipWordSpans, clipWords } from './clip-words.ts';
import { mergeLongWord } from './long-word.ts';
import { cutsOf, utf8 } from './merge-word.ts';
import { createWordMerger } from './word-merger.ts';

/** UTF-16 units from which a word is merged in near-linear time and not remembered. */
const LONG_WORD = 100;

/** Words whose tokens are remembered, before all are forgotten. */
const KEPT_WORDS = 2 ** 16;

export interface TokenBatch {
  /** Token ids [n, length]: BOS, the text's tokens, EOS, then padding with EOS. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** [n, length]: 1 from BOS to the closing EOS, 0 on padding. */
  readonly mask: Int32Array<ArrayBuffer>;
  /** The longest text of the batch in tokens, BOS and EOS counted. */
  readonly length: number;
}

export interface Tokenizer {
  readonly vocabularySize: number;
  readonly bosId: number;
  readonly eosId: number;
  /** Token ids of `text`, without BOS and EOS. The special tokens' spellings in the text give their ids. */
  encode(text: string): number[];
  /** Of each token of `encode`, where the word that it is of stands in the text, in UTF-16 units. */
  wordSpans(text: string): { start: number; end: number }[];
  /** Ids and mask of `texts`, each cut to `maxLength` tokens (at least 2), its closing EOS kept. */
  encodeBatch(texts: readonly string[], maxLength: number): TokenBatch;
  /** Gives the memory of merges and remembered words back; the tokenizer is of no use afterwards. */
  free(): void;
}

/**
 * A tokenizer from vocab.json's contents (token to id, ids 0..size-1) and merges.txt's text.
 *
 * Throws one line naming the file and what is wrong: ids that are no numbering, a missing special or byte
 * token, a merge without two parts, with a part or a result that vocab.json lacks, or out of the order BPE
 * training gives.
 */
export function createTokenizer(vocab: Record<string, number>, merges: string): Tokenizer {
  const idOf = checkVocabulary(vocab);
  const bosId = idOf(BEGIN_TOKEN);
  const eosId = idOf(END_TOKEN);
  const { rankOf, ids } = rankTokens(idOf, merges);
  const merger = createWordMerger(rankOf);
  const kept = new Map<string, readonly number[]>();

  const idsOf = (word: string): readonly number[] => {
    const known = kept.get(word);
    if (known !== undefined) return known;
    const isLong = word.length >= LONG_WORD;
    const ranks = isLong ? mergeLongWord(`${utf8(word)}Z`, rankOf) : merger.merge(word);
    const found = Array.from(ranks, (rank) => ids[rank]!);
    if (isLong) return found;
    if (kept.size === KEPT_WORDS) kept.clear();
    kept.set(word, found);
    return found;
  };
  const tokensOf = (word: string): readonly number[] => {
    if (word === BEGIN_TOKEN) return [bosId];
    return word === END_TOKEN ? [eosId] : idsOf(word);
  };
  const encode = (text: string): number[] => {
    const result: number[] = [];
    for (const word of clipWords(text)) {
      // No call with many arguments: a word may have a million tokens.
      for (const id of tokensOf(word)) result.push(id);
    }
    return result;
  };

  return {
    vocabularySize: Object.keys(vocab).length,
    bosId,
    eosId,
    encode,
    wordSpans: (text) =>
      clipWordSpans(text).flatMap(({ word, start, end }) => tokensOf(word).map(() => ({ start, end }))),
    encodeBatch: (texts, maxLength) => padBatch(texts.map(encode), maxLength, bosId, eosId),
    free() {
      kept.clear();
      merger.free();
    },
  };
}

function padBatch(texts: readonly number[][], maxLength: number, bosId: number, eosId: number): TokenBatch {
  if (!Number.isInteger(maxLength) || maxLength < 2) {
    throw new Error(`maxLength is ${maxLength}, expected an integer of at least 2 (BOS and EOS)`);
  }
  const lengthOf = (text: readonly number[]): number => Math.min(text.length + 2, maxLength);
  const length = texts.reduce((longest, text) => Math.max(longest, lengthOf(text)), 0);
  const ids = new Int32Array(texts.length * length).fill(eosId);
  const mask = new Int32Array(texts.length * length);
  texts.forEach((text, row) => {
    const start = row * length;
    const real = lengthOf(text);
    ids[start] = bosId;
    ids.set(text.slice(0, real - 2), start + 1);
    mask.fill(1, start, start + real);
  });
  return { ids, mask, length };
}

/** The look-up of a token's id, after a check that the ids number the tokens. */
function checkVocabulary(vocab: Record<string, number>): (token: string) => number {
  const table = new Map(Object.entries(vocab));
  const seen = new Array<string | undefined>(table.size);
  for (const [token, id] of table) {
    if (!Number.isInteger(id) || id < 0 || id >= table.size) {
      throw new InputError(
        `vocab.json: id of ${JSON.stringify(token)} is ${kindOf(id)}, expected an integer in 0..${table.size - 1}`,
      );
    }
    if (seen[id] !== undefined) {
      throw new InputError(
        `vocab.json: ${JSON.stringify(seen[id])} and ${JSON.stringify(token)} both have id ${id}`,
      );
    }
    seen[id] = token;
  }
  return (token) => {
    const id = table.get(token);
    if (id === undefined) throw new InputError(`vocab.json: token ${JSON.stringify(token)} is missing`);
    return id;
  };
}

/**
 * The rank of each token, as a byte string (one character a byte, Z for `</w>`), in order, and the id of each
 * rank.
 */
function rankTokens(
  idOf: (token: string) => number,
  merges: string,
): { rankOf: Map<string, number>; ids: number[] } {
  const rankOf = new Map<string, number>();
  const ids: number[] = [];
  for (const [mark, end] of [
    ['', ''],
    [END_OF_WORD, 'Z'],
  ] as const) {
    for (const byte of BYTE_ORDER) {
      rankOf.set(String.fromCharCode(byte) + end, ids.length);
      ids.push(idOf(BYTE_TO_CHAR[byte] + mark));
    }
  }
  for (const [line, left, right] of mergeLines(merges)) {
    const where = () => `merges.txt line ${line}: "${left} ${right}"`;
    const [leftBytes, rightBytes] = [tokenBytes(left), tokenBytes(right)];
    if (!rankOf.has(leftBytes) || !rankOf.has(rightBytes)) {
      throw new InputError(
        `${where()} merges ${rankOf.has(leftBytes) ? right : left}, which is no byte and no merge above`,
      );
    }
    const token = leftBytes + rightBytes;
    if (rankOf.has(token)) throw new InputError(`${where()} makes a token that is there already`);
    if (!splitsInto(token, leftBytes.length, rankOf)) {
      throw new InputError(`${where()} can never apply: the merges above join other parts of it first`);
    }
    rankOf.set(token, ids.length);
    try {
      ids.push(idOf(left + right));
    } catch (error) {
      throw new InputError(`${(error as Error).message}, which merges.txt makes in line ${line}`);
    }
  }
  return { rankOf, ids };
}

/** Line number and two parts of each merge, after the version line if there is one. */
function* mergeLines(merges: string): Generator<[number, string, string]> {
  const lines = merges.split(/\r?\n/);
  while (lines.length > 0 && lines[lines.length - 1] === '') lines.pop();
  for (const [index, line] of lines.entries()) {
    if (index === 0 && line.startsWith('#version')) continue;
    const parts = line.split(' ');
    const [left, right] = parts;
    if (parts.length !== 2 || !left || !right) {
      throw new InputError(
        `merges.txt line ${index + 1}: ${JSON.stringify(line)}, expected two tokens with a space between`,
      );
    }
    yield [index + 1, left, right];
  }
}

/**
 * A token of merges.txt as a byte string; characters outside the byte alphabet stay, and so match no token.
 */
function tokenBytes(token: string): string {
  const ends = token.endsWith(END_OF_WORD) && token.length > END_OF_WORD.length;
  const chars = ends ? token.slice(0, -END_OF_WORD.length) : token;
  // Most tokens are letters that stand for themselves.
  if (/^[!-~]*$/.test(chars)) return ends ? `${chars}Z` : chars;
  const bytes = Array.from(chars, (char) => {
    const byte = charToByte(char);
    return byte === undefined ? char : String.fromCharCode(byte);
  });
  return bytes.join('') + (ends ? 'Z' : '');
}

/**
 * Whether the merges so far turn `token` into exactly two parts with the cut at `cut`. Merging by ranks joins any two
 * parts whose bytes have a rank, CLIP only the pair that merges.txt names. Where this holds for every merge
 * the two are equal: parts of a text meet at a cut only if no merge crossed it, so each was made as it would
 * be alone.
 */
function splitsInto(token: string, cut: number, rankOf: ReadonlyMap<string, number>): boolean {
  if (token.length === 2) return cut === 1;
  const cuts = cutsOf(token, rankOf);
  return cuts.length === 3 && cuts[1] === cut;
}
