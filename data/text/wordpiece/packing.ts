// Token ids put together to what BERT reads: pairs of segments (Devlin et al. 2019), BLINK's mention in its context and
// BLINK's entity (Wu et al. 2020, arXiv:1911.03814), whose tags are tokens that the vocabulary leaves unused.

import type { WordPiece } from './wordpiece.ts';

export interface PackedPair {
  ids: number[];
  /** 0 up to the first [SEP], 1 after it. */
  types: number[];
}

/** Most tokens of a pair's first segment. */
const firstTokens = 16;

/** The tags around a mention and after a title. */
const [OPEN, CLOSE, TITLE] = ['[unused0]', '[unused1]', '[unused2]'] as const;

/** The tags' tokens that a vocabulary has not. */
export function missingTags({ tokens }: WordPiece): string[] {
  return [OPEN, CLOSE, TITLE].filter((tag) => !tokens.includes(tag));
}

/** [CLS] first [SEP] second [SEP], at most `length` ids (3 or more): the first segment keeps up to 16, the second the rest. */
export function packPair(
  { clsId, sepId }: WordPiece,
  first: readonly number[],
  second: readonly number[],
  length: number,
): PackedPair {
  const head = first.slice(0, Math.min(firstTokens, length - 3));
  const tail = second.slice(0, length - 3 - head.length);
  const types = [...head.map(() => 0), 0, 0, ...tail.map(() => 1), 1];
  return { ids: [clsId, ...head, sepId, ...tail, sepId], types };
}

/**
 * [CLS] left [unused0] mention [unused1] right [SEP], at most `length` ids (5 or more). The mention keeps its first
 * length - 4; the sides share the rest, and what one does not use the other gets.
 */
export function packContext(
  { tokens, clsId, sepId }: WordPiece,
  left: readonly number[],
  mention: readonly number[],
  right: readonly number[],
  length: number,
): number[] {
  const tagged = [tokens.indexOf(OPEN), ...mention.slice(0, length - 4), tokens.indexOf(CLOSE)];
  const room = length - 2 - tagged.length;
  const quota = Math.floor((length - tagged.length) / 2) - 1;
  const before = Math.min(left.length, Math.max(quota, room - right.length));
  return [clsId, ...left.slice(left.length - before), ...tagged, ...right.slice(0, room - before), sepId];
}

/** [CLS] title [unused2] description [SEP], cut together to `length` ids. */
export function packEntity(
  { tokens, clsId, sepId }: WordPiece,
  title: readonly number[],
  description: readonly number[],
  length: number,
): number[] {
  return [clsId, ...[...title, tokens.indexOf(TITLE), ...description].slice(0, length - 2), sepId];
}

/**
 * A sentence parted at the mention: at the first substring as long as `word` (in UTF-16 units) that equals it in lower case.
 * Where there is none, and for an empty word, it is not found, and all of it stands to the right.
 */
export function splitAtMention(
  word: string,
  sentence: string,
): { left: string; right: string; isFound: boolean } {
  const wanted = word.toLowerCase();
  for (let at = 0; word !== '' && at + word.length <= sentence.length; at++) {
    const end = at + word.length;
    if (sentence.slice(at, end).toLowerCase() === wanted) {
      return { left: sentence.slice(0, at), right: sentence.slice(end), isFound: true };
    }
  }
  return { left: '', right: sentence, isFound: false };
}

/**
 * BLINK's cross-encoder: the context's ids, then the entity's without its [CLS]. The entity's places begin at `contextLength`
 * however long the context is, so that a score does not depend on the layout.
 */
export function packBoth(
  context: readonly number[],
  entity: readonly number[],
  contextLength: number,
): PackedPair & { positions: number[] } {
  const rest = entity.slice(1);
  return {
    ids: [...context, ...rest],
    types: [...context.map(() => 0), ...rest.map(() => 1)],
    positions: [...context.keys(), ...rest.map((_, i) => contextLength + i)],
  };
}
