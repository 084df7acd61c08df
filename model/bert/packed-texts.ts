// Texts as BERT reads them, each a list of ids with its types and places: put together to batches, and encoded from short to
// long, since padding costs as much as words do.

import { embedding } from '../../engine/ops/embedding.ts';
import { concat } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Bert, BertBatch, BertDropout } from './bert.ts';

/** A text, [CLS] first. */
export interface PackedText {
  ids: readonly number[];
  /** The segment of each token; default 0. */
  types?: readonly number[];
  /** The place of each token; default 0, 1, 2, ... */
  positions?: readonly number[];
}

/** Rows are padded to a multiple of so many tokens: fewer shapes, fewer kernels to tune. */
const lengthStep = 4;

/** A batch has at least so many tokens, where there are as many: fewer would leave the device idle. */
const leastTokens = 512;

/** Texts in one batch, padded with zeros to the longest, or to `length`. */
export function packedBatch(texts: readonly PackedText[], length = longestOf(texts)): BertBatch {
  const rows = (of: (text: PackedText) => readonly number[]) => {
    const values = new Int32Array(texts.length * length);
    for (const [i, text] of texts.entries()) values.set(of(text), i * length);
    return values;
  };
  const batch = {
    ids: rows(({ ids }) => ids),
    mask: rows(({ ids }) => ids.map(() => 1)),
    count: texts.length,
    length,
  };
  return {
    ...batch,
    ...(texts.some(({ types }) => types)
      ? { types: rows(({ ids, types }) => types ?? ids.map(() => 0)) }
      : {}),
    ...(texts.some(({ positions }) => positions)
      ? { positions: rows(({ ids, positions }) => positions ?? [...ids.keys()]) }
      : {}),
  };
}

/**
 * What `encode` makes of texts, a row each, in their order: [texts, d]. It is called on batches of texts of similar length,
 * padded to at most `maxLength`, the length of the longest that may come, with the numbers of their texts.
 */
export function encodeByLength(
  texts: readonly PackedText[],
  maxLength: number,
  encode: (batch: BertBatch, texts: readonly number[]) => Tensor,
): Tensor {
  const order = [...texts.keys()].sort((a, b) => texts[a]!.ids.length - texts[b]!.ids.length || a - b);
  const parts: Tensor[] = [];
  let part: number[] = [];
  let left = order.reduce((sum, row) => sum + texts[row]!.ids.length, 0);
  for (const [i, row] of order.entries()) {
    const length = roundUp(texts[row]!.ids.length); // of the longest in the part
    part.push(row);
    left -= texts[row]!.ids.length;
    const next = order[i + 1];
    const isFull = part.length * length >= leastTokens && left >= leastTokens;
    // Texts of one length stay together: parting them would save no padding.
    if (next !== undefined && !(isFull && roundUp(texts[next]!.ids.length) > length)) continue;
    const own = part.map((row) => texts[row]!);
    parts.push(encode(packedBatch(own, Math.min(maxLength, length)), part));
    part = [];
  }
  if (parts.length === 1 && order.every((row, i) => row === i)) return parts[0]!;
  const places = new Int32Array(texts.length);
  for (const [place, row] of order.entries()) places[row] = place;
  const all = parts.length === 1 ? parts[0]! : concat(parts, 0);
  return embedding(all, all.device.tensor([texts.length], places, { name: 'places' }));
}

/** The last layer's [CLS] of packed texts: [texts, d]. */
export function clsOf(bert: Bert, texts: readonly PackedText[], dropped?: BertDropout): Tensor {
  const { maxLength } = bert.config;
  return encodeByLength(texts, maxLength, (batch) => bert.encodeFirst(batch, dropped));
}

function longestOf(texts: readonly PackedText[]): number {
  return texts.reduce((longest, { ids }) => Math.max(longest, ids.length), 0);
}

function roundUp(length: number): number {
  return Math.ceil(length / lengthStep) * lengthStep;
}
