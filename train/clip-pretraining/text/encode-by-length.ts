// Texts encoded from short to long: padding costs as much as words do.

import { pickTexts, type TextBatch, type Tokens } from '../../../encoding/samples.ts';
import type { Device } from '../../../engine/device.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { concat } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';

/** Texts are encoded in so many parts of similar length. */
const lengthBuckets = 8;

/** Embeds [n, d_z] of the texts in `rows`, in their order, encoded from short to long, `encode` called once a length. */
export function encodeByLength(
  device: Device,
  encode: (batch: TextBatch) => Tensor,
  tokens: Tokens,
  rows: readonly number[],
): Tensor {
  const lengths = rows.map((row) => tokens.lengths[row]!);
  const order = rows.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const size = Math.ceil(rows.length / lengthBuckets);
  const parts: Tensor[] = [];
  for (let first = 0; first < order.length; first += size) {
    const part = order.slice(first, first + size).map((i) => rows[i]!);
    parts.push(encode(pickTexts(tokens, part)));
  }
  const place = new Int32Array(rows.length);
  order.forEach((text, i) => {
    place[text] = i;
  });
  return embedding(concat(parts, 0), device.tensor([rows.length], place));
}
