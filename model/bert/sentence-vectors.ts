// Vectors of sentences by a BERT that was trained for them (sentence-transformers): texts to tokens, tokens to unit vectors.

import type { WordPiece } from '../../data/text/wordpiece/wordpiece.ts';
import { type Bert, meanEmbeds } from './bert.ts';

/** Vectors of some of the texts. */
export interface SentencePart {
  /** Which of the texts they are of, by number. */
  places: readonly number[];
  /** [places, d], each of length 1. */
  rows: Float32Array<ArrayBuffer>;
}

/**
 * Tokens that are encoded at once: enough to share the loading of weights among, few enough that a layer's activations stay in
 * a processor's cache.
 */
const batchTokens = 2048;

/**
 * The mean-pooled unit vectors of `texts`, each cut to `maxLength` tokens ([CLS] and [SEP] counted, at least 2), in parts as they
 * are made. A part holds texts of one length: no time goes into padding, and a text's bits do not depend on the others.
 * Call it outside of any scope. Throws ShapeError for lengths that the encoder does not take.
 */
export async function* sentenceVectors(
  bert: Bert,
  tokenizer: WordPiece,
  texts: readonly string[],
  maxLength: number,
): AsyncGenerator<SentencePart> {
  const { clsId, sepId } = tokenizer;
  const tokens = texts.map((text) => [clsId, ...tokenizer.encode(text).slice(0, maxLength - 2), sepId]);
  // One part is computed while the next is sent, so that the device does not wait for the host.
  let pending: Promise<SentencePart> | null = null;
  for (const places of partsOf(tokens)) {
    const next = encodePart(bert, tokens, places);
    if (pending) yield await pending;
    pending = next;
  }
  if (pending) yield await pending;
}

/** The numbers of texts of one length, as many as are encoded at once. */
function* partsOf(tokens: readonly (readonly number[])[]): Generator<number[]> {
  const byLength = new Map<number, number[]>();
  for (const [text, { length }] of tokens.entries()) {
    const places = byLength.get(length) ?? [];
    places.push(text);
    byLength.set(length, places);
  }
  for (const [length, places] of byLength) {
    const most = Math.max(1, Math.floor(batchTokens / length));
    for (let first = 0; first < places.length; first += most) yield places.slice(first, first + most);
  }
}

async function encodePart(
  bert: Bert,
  tokens: readonly (readonly number[])[],
  places: readonly number[],
): Promise<SentencePart> {
  const { device } = bert.tokenTable;
  const [count, length] = [places.length, tokens[places[0]!]!.length];
  const ids = Int32Array.from(places.flatMap((text) => tokens[text]!));
  const mask = new Int32Array(count * length).fill(1);
  const rows = await device.scope(
    () =>
      meanEmbeds(bert.encode({ ids, mask, count, length }), mask).read() as Promise<
        Float32Array<ArrayBuffer>
      >,
  );
  return { places, rows };
}
