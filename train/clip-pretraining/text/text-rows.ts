// Texts that are pretrained on, as the student takes them: token ids once for all steps, and the vector that the teacher's
// map gives each.

import type { Tokenizer } from '../../../data/text/tokenizer.ts';
import type { TextBatch } from '../../../encoding/samples.ts';
import type { Device } from '../../../engine/device.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { concat } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';

/** Texts are encoded in so many parts of similar length: padding costs as much as words do. */
const lengthBuckets = 8;
/** Padded lengths are multiples of this, so that few shapes occur. */
const lengthStep = 4;

/** Token ids of a text, BOS and EOS included. */
export type Tokens = Int32Array<ArrayBuffer>;

/** Ids of texts, each cut to `maxLength` with its EOS kept. */
export function tokenize(tokenizer: Tokenizer, texts: readonly string[], maxLength: number): Tokens[] {
  const { bosId, eosId } = tokenizer;
  return texts.map((text) =>
    Int32Array.from([bosId, ...tokenizer.encode(text).slice(0, maxLength - 2), eosId]),
  );
}

/** Embeds [n, d_z] of texts in their order, encoded from short to long, `encode` called once a length. */
export function encodeByLength(
  device: Device,
  encode: (batch: TextBatch) => Tensor,
  texts: readonly Tokens[],
  maxLength: number,
): Tensor {
  const order = texts.map((_, i) => i).sort((a, b) => texts[a]!.length - texts[b]!.length || a - b);
  const size = Math.ceil(texts.length / lengthBuckets);
  const parts: Tensor[] = [];
  for (let first = 0; first < order.length; first += size) {
    const rows = order.slice(first, first + size).map((text) => texts[text]!);
    const longest = Math.ceil(rows.at(-1)!.length / lengthStep) * lengthStep;
    parts.push(encode(padded(rows, Math.min(longest, maxLength))));
  }
  const place = new Int32Array(texts.length);
  order.forEach((text, i) => {
    place[text] = i;
  });
  return embedding(concat(parts, 0), device.tensor([texts.length], place));
}

/** Texts of at most `length` tokens as a batch; what pads them counts for nothing. */
function padded(texts: readonly Tokens[], length: number): TextBatch {
  const ids = new Int32Array(texts.length * length);
  const mask = new Int32Array(texts.length * length);
  texts.forEach((tokens, i) => {
    ids.fill(tokens.at(-1)!, i * length, (i + 1) * length);
    ids.set(tokens, i * length);
    mask.fill(1, i * length, i * length + tokens.length);
  });
  return { ids, mask, count: texts.length, length };
}
