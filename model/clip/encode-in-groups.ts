// The texts of a batch, encoded in groups of like length and each distinct one once. A batch is padded to its longest text, and
// most texts are far shorter: groups leave the encoder less padding, and repeated negatives none at all. Where one encoder
// takes both sides, it takes them together: fewer and larger products, and fewer gradients to add up.

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
  return encodeTogether([texts], groups, encode)[0]!;
}

/** The same of several batches of texts whose groups are common to all; each comes back padded as it was. */
export function encodeTogether(
  sides: readonly TextBatch[],
  groups: number,
  encode: (texts: TextBatch) => TextFeatures,
): TextFeatures[] {
  const texts = joinTexts(sides);
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
  const flat = [...parts.map(({ tokens }) => reshape(tokens, [-1, width])), device.zeros([1, width])];
  const table = concat(flat, 0);
  const embeds = joined(parts.map((part) => part.embeds));
  let done = 0;
  return sides.map(({ count: B, length: L }) => {
    const own = places.subarray(done, done + B);
    const ids = new Int32Array(B * (r + L)).fill(rows); // the row of zeros
    const mask = new Int32Array(B * (r + L));
    for (let b = 0; b < B; b++) {
      const { first, count } = spans[own[b]!]!;
      // A group may be longer than this side: of another side's texts.
      for (let t = 0; t < Math.min(count, r + L); t++) ids[b * (r + L) + t] = first + t;
      mask.fill(1, b * (r + L), b * (r + L) + r + texts.lengths[done + b]!);
    }
    done += B;
    return {
      tokens: embedding(table, device.tensor([B, r + L], ids, { name: 'places of tokens' })),
      embeds: embedding(embeds, device.tensor([B], own)),
      mask: device.tensor([B, r + L], mask, { name: 'text mask' }),
    };
  });
}

/** Texts of several batches as one, each padded as its batch was. */
function joinTexts(sides: readonly TextBatch[]): Tokens {
  const count = sides.reduce((sum, side) => sum + side.count, 0);
  const length = Math.max(...sides.map((side) => side.length));
  const [ids, mask] = [new Int32Array(count * length), new Int32Array(count * length)];
  const lengths = new Int32Array(count);
  let row = 0;
  for (const side of sides) {
    for (let b = 0; b < side.count; b++, row++) {
      const end = (b + 1) * side.length;
      ids.fill(side.ids[end - 1]!, row * length, (row + 1) * length);
      ids.set(side.ids.subarray(end - side.length, end), row * length);
      mask.set(side.mask.subarray(end - side.length, end), row * length);
      lengths[row] = lengthOf(side, b);
    }
  }
  return { ids, mask, lengths, count, length };
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
