// The texts of one side of a batch, encoded in groups of like length and each distinct one once. A batch is padded to its
// longest text, and most texts are far shorter: groups leave the encoder less padding, and repeated negatives none at all.

import { embedding } from '../../engine/ops/embedding.ts';
import { concat, reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { TextBatch, TextFeatures } from '../../model/clip/clip.ts';

/** Groups are padded to a multiple of so many tokens: fewer shapes, fewer kernels to tune. */
const lengthStep = 4;

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
  const { batches, places } = groupTexts(texts, groups);
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
    mask.fill(1, b * (r + L), b * (r + L) + r + lengthOf(texts, b));
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
  texts: TextBatch,
  groups: number,
): { batches: TextBatch[]; places: Int32Array<ArrayBuffer> } {
  const { ids, count, length: L } = texts;
  const rowOf = new Map<string, number>();
  const keys = Array.from({ length: count }, (_, row) => ids.subarray(row * L, (row + 1) * L).join());
  keys.forEach((key, row) => {
    if (!rowOf.has(key)) rowOf.set(key, row);
  });
  const order = [...rowOf.values()].sort((a, b) => lengthOf(texts, a) - lengthOf(texts, b) || a - b);
  const size = Math.ceil(order.length / groups);
  const batches: TextBatch[] = [];
  for (let first = 0; first < order.length; first += size) {
    batches.push(rowsOf(texts, order.slice(first, first + size)));
  }
  const placeOf = new Map(order.map((row, place) => [row, place]));
  return { batches, places: Int32Array.from(keys, (key) => placeOf.get(rowOf.get(key)!)!) };
}

/** Rows in ascending order of length, padded to the last. */
function rowsOf({ ids, mask, length: L, ...texts }: TextBatch, rows: readonly number[]): TextBatch {
  const longest = lengthOf({ ids, mask, length: L, ...texts }, rows.at(-1)!);
  const length = Math.min(L, Math.ceil(longest / lengthStep) * lengthStep);
  const part = (of: Int32Array<ArrayBuffer>) => {
    const some = new Int32Array(rows.length * length);
    rows.forEach((row, i) => {
      some.set(of.subarray(row * L, row * L + length), i * length);
    });
    return some;
  };
  return { ids: part(ids), mask: part(mask), count: rows.length, length };
}

function lengthOf({ mask, length: L }: TextBatch, row: number): number {
  return mask.subarray(row * L, (row + 1) * L).reduce((sum, real) => sum + real, 0);
}

function joined(parts: readonly Tensor[]): Tensor {
  return parts.length === 1 ? parts[0]! : concat(parts, 0);
}
