// The objective of CLIP's pretraining on several kinds of pairs: symmetric cross-entropy of each kind's
// similarities (Radford et al. 2021, figure 3), all with one learned logit scale.

import { crossEntropy } from '../../engine/ops/cross-entropy.ts';
import { add, affine, exp, mul, relu, scale } from '../../engine/ops/elementwise.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { concat, transpose } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { UsageError } from '../../files/errors.ts';
import type { Clip, ClipTextEncoder, TextBatch } from '../../model/clip/clip.ts';
import type { ClipBatch, Pairing } from './clip-batches.ts';

/** Ids and mask [n, length] of texts cut to so many tokens, padded to the longest. */
export type Tokenize = (
  texts: readonly string[],
  maxLength: number,
) => { ids: Int32Array; mask: Int32Array; length: number };

/** A kind of pairs' part in the loss. */
type PairWeights = Readonly<Record<keyof ClipBatch['pairings'], number>>;

export interface LossOptions {
  weights: PairWeights;
  /** Similarities are multiplied by at most this. */
  maxLogitScale: number;
}

/** Texts are encoded in so many parts of similar length: padding costs as much as words do. */
const lengthBuckets = 4;
/** Padded lengths are multiples of this, so that few shapes occur. */
const lengthStep = 4;

/** The loss of a batch, a scalar, and its parts by kind of pair. Call it in a scope. */
export function clipLoss(
  clip: Clip,
  batch: ClipBatch,
  tokenize: Tokenize,
  { weights, maxLogitScale }: LossOptions,
): { loss: Tensor; parts: Record<string, Tensor> } {
  const { logitScale } = clip;
  const { device } = logitScale;
  const { imageSize } = clip.vision.config;
  const features = {
    text: encodeByLength(clip.text, batch.texts, tokenize),
    image:
      batch.images === 0
        ? null
        : clip.vision.encode(
            device.tensor([batch.images, 3, imageSize, imageSize], batch.pixels, { name: 'pixels' }),
          ).embeds,
  };
  const factor = exp(atMost(logitScale, Math.log(maxLogitScale)));
  const rows = ({ kind, first }: Pairing['a'], count: number) =>
    embedding(
      features[kind]!,
      device.tensor(
        [count],
        Int32Array.from({ length: count }, (_, i) => first + i),
      ),
    );

  const parts: Record<string, Tensor> = {};
  let loss: Tensor | null = null;
  for (const [name, { a, b, count }] of Object.entries(batch.pairings)) {
    // One pair alone has nothing to be told from.
    if (count < 2) continue;
    const part = contrastive(rows(a, count), rows(b, count), factor);
    parts[name] = part;
    const weighted = scale(part, weights[name as keyof PairWeights]);
    loss = loss === null ? weighted : add(loss, weighted);
  }
  if (loss === null) throw new UsageError('a step has no two pairs of one kind: nothing to learn from');
  return { loss, parts };
}

/**
 * Mean of both directions' cross-entropy; a, b [n, d] of length 1, row i of one belongs to row i of the
 * other.
 */
function contrastive(a: Tensor, b: Tensor, factor: Tensor): Tensor {
  const n = a.shape[0]!;
  const targets = a.device.tensor(
    [n],
    Int32Array.from({ length: n }, (_, i) => i),
  );
  const logits = mul(matmul(a, b, { transposeB: true }), factor);
  return scale(add(crossEntropy(logits, targets), crossEntropy(transpose(logits, [1, 0]), targets)), 0.5);
}

/** Embeds [n, d_z] of texts in their order, encoded from short to long. */
function encodeByLength(encoder: ClipTextEncoder, texts: readonly string[], tokenize: Tokenize): Tensor {
  const { ids, mask, length } = tokenize(texts, encoder.config.maxLength);
  const lengths = texts.map((_, i) =>
    mask.subarray(i * length, (i + 1) * length).reduce((n, real) => n + real, 0),
  );
  const order = texts.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const size = Math.ceil(texts.length / lengthBuckets);
  const parts: Tensor[] = [];
  for (let first = 0; first < order.length; first += size) {
    const rows = order.slice(first, first + size);
    const longest = Math.ceil(lengths[rows.at(-1)!]! / lengthStep) * lengthStep;
    const padded = Math.min(longest, encoder.config.maxLength);
    parts.push(encoder.encode(pickRows({ ids, mask, length }, rows, padded)).embeds);
  }
  const place = new Int32Array(texts.length);
  order.forEach((text, i) => {
    place[text] = i;
  });
  const { device } = parts[0]!;
  return embedding(concat(parts, 0), device.tensor([texts.length], place, { name: 'places' }));
}

/** Some rows of a token batch, cut or padded (with their last id, which nobody attends to) to `length`. */
function pickRows(
  batch: { ids: Int32Array; mask: Int32Array; length: number },
  rows: readonly number[],
  length: number,
): TextBatch {
  const ids = new Int32Array(rows.length * length);
  const mask = new Int32Array(rows.length * length);
  const kept = Math.min(length, batch.length);
  rows.forEach((row, i) => {
    const start = row * batch.length;
    ids.set(batch.ids.subarray(start, start + kept), i * length);
    ids.fill(batch.ids[start + kept - 1]!, i * length + kept, (i + 1) * length);
    mask.set(batch.mask.subarray(start, start + kept), i * length);
  });
  return { ids, mask, count: rows.length, length };
}

/** min(x, limit); no gradient above the limit. */
function atMost(x: Tensor, limit: number): Tensor {
  return affine(relu(affine(x, -1, limit)), -1, limit);
}
