// What text encoders ask of the texts that they are given, and what weighs their tokens.

import type { TextBatch } from '../encoding/samples.ts';
import { ShapeError } from '../engine/errors.ts';

/** Throws ShapeError unless ids are tokens and each mask is a run of ones: everything after relies on it. */
export function checkTexts(
  { vocabulary, maxLength }: { vocabulary: number; maxLength: number },
  { ids, mask, count, length }: TextBatch,
): void {
  if (length > maxLength) {
    throw new ShapeError(`encodeText: texts of ${length} tokens, the encoder takes ${maxLength}`);
  }
  if (ids.length !== count * length || mask.length !== count * length) {
    throw new ShapeError(
      `encodeText: ${ids.length} ids and ${mask.length} mask values for ${count} texts of ${length} tokens`,
    );
  }
  for (let i = 0; i < ids.length; i++) {
    const text = Math.floor(i / length);
    if (!(ids[i]! >= 0 && ids[i]! < vocabulary)) {
      throw new ShapeError(`encodeText: text ${text} has token id ${ids[i]}, the vocabulary ${vocabulary}`);
    }
    const before = i % length === 0 ? 1 : mask[i - 1]!;
    const isFirst = i % length === 0;
    if ((mask[i] !== 0 && mask[i] !== 1) || mask[i]! > before || (isFirst && mask[i] !== 1)) {
      throw new ShapeError(`encodeText: the mask of text ${text} is not ones followed by zeros`);
    }
  }
}

/** By what the sum over a text's tokens is their mean, of texts [count, length]: 1 / tokens, 0 on padding. */
export function meanWeights(mask: Int32Array, length: number): Float32Array<ArrayBuffer> {
  const weights = new Float32Array(mask.length);
  for (let first = 0; first < mask.length; first += length) {
    const real = mask.subarray(first, first + length).reduce((sum, one) => sum + one, 0);
    weights.fill(1 / real, first, first + real);
  }
  return weights;
}
