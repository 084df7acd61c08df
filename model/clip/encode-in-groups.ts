// The texts of one side of a batch, encoded in groups of like length and each distinct one once. A batch is padded to its
// longest text, and most texts are far shorter: groups leave the encoder less padding, and repeated negatives none at all.

import { pickTexts, type Tokens } from '../../encoding/samples.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { concat, reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { TextBatch, TextFeatures } from './clip.ts';

/**
 * What `encode` makes of the texts, as if of all at once, up to rounding: differentiable, tokens [B, r + L, d_t], zeros on
 * the padding that groups leave out. `encode` may put r tokens of its own in front of each text.
 */
export function encodeInGroups(
  texts: TextBatch,
  groups: number,
  encode: (texts: TextBatch) => TextFeatures,
): TextFeatures {
  const { count: B, length: L } = texts;
  const lengths = Int32Array.from({ length: B }, (_, row) => lengthOf(texts, row));
  const { batches, places } = groupTexts({ ...texts, lengths }, groups);
  const parts = batches.map(encode);
  const [, T, width] = parts[0]!.tokens.shape as [number, number, number];
  const { device } = parts[0]!.tokens;
  const r = T - batches[0]!.length;
  /** Where the tokens of each distinct text begin in the table of all, and how many there are. */
  const spans: { first: number; count: number }[] = [];
  let rows = 0;
  for (const { count, length } of batches) {
    for (let i = 0; i < count; i++, rows += r + length) spans.push({ first: rows, count: r + length });
  }
  const ids = new Int32Array(B * (r + L)).fill(rows); // the row of zeros
  const mask = new Int32Array(B * (r + L));
  for (let b = 0; b < B; b++) {
    const { first, count } = spans[places[b]!]!;
    for (let t = 0; t < count; t++) ids[b * (r + L) + t] = first + t;
    mask.fill(1, b * (r + L), b * (r + L) + r + lengths[b]!);
  }
  const flat = [...parts.map(({ tokens }) => reshape(tokens, [-1, width])), device.zeros([1, width])];
  return {
    tokens: embedding(concat(flat, 0), device.tensor([B, r + L], ids, { name: 'places of tokens' })),
    embeds: embedding(joined(parts.map(({ embeds }) => embeds)), device.tensor([B], places)),
    mask: device.tensor([B, r + L], mask, { name: 'text mask' }),
  };
}

/** The distinct texts, shortest first, in groups of about as many; `places`: where each row is among all of them. */
function groupTexts(
  texts: Tokens,
  groups: number,
): { batches: TextBatch[]; places: Int32Array<ArrayBuffer> } {
  const { ids, lengths, count, length: L } = texts;
  const rowOf = new Map<string, number>();
  const keys = Array.from({ length: count }, (_, row) => ids.subarray(row * L, (row + 1) * L).join());
  keys.forEach((key, row) => {
    if (!rowOf.has(key)) rowOf.set(key, row);
  });
  const order = [...rowOf.values()].sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const size = Math.ceil(order.length / groups);
  const batches: TextBatch[] = [];
  for (let first = 0; first < order.length; first += size) {
    batches.push(pickTexts(texts, order.slice(first, first + size)));
  }
  const placeOf = new Map(order.map((row, place) => [row, place]));
  return { batches, places: Int32Array.from(keys, (key) => placeOf.get(rowOf.get(key)!)!) };
}

function lengthOf({ mask, length: L }: TextBatch, row: number): number {
  return mask.subarray(row * L, (row + 1) * L).reduce((sum, real) => sum + real, 0);
}

function joined(parts: readonly Tensor[]): Tensor {
  return parts.length === 1 ? parts[0]! : concat(parts, 0);
}
