// ALBEF's losses of pretraining (Li et al. 2021, arXiv:2107.07651, section 3.2) without momentum model, queue and soft targets:
// L = ITC + ITM. ITC tells the pairs of a batch apart by the cosines of text and image, both ways. ITM tells from the fused
// [CLS] whether text and image match: of the batch's own pairs, and of each text with an image and each image with a text
// that belong to another entity and are alike, drawn from the softmax of the similarities.
//
// B: pairs; L, R: text and image tokens, d, d_v: their widths.

import { noGrad } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { crossEntropy } from '../../engine/ops/cross-entropy.ts';
import { add, affine } from '../../engine/ops/elementwise.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { gumbelNoise } from '../../engine/ops/gumbel.ts';
import { l2Normalize } from '../../engine/ops/l2-normalize.ts';
import { concat, reshape, transpose } from '../../engine/ops/shape.ts';
import { argmax } from '../../engine/ops/top-k.ts';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { Albef, type AlbefConfig, AlbefMatching } from '../../model/albef/albef.ts';
import { rowsOf } from '../../model/albef/token-rows.ts';
import { type BertBatch, type BertStates, firstTokens } from '../../model/bert/bert.ts';
import type { ParameterSource } from '../../model/parameter-source.ts';
import { contrastOf, similarities } from '../clip-pretraining/text/text-loss.ts';

/** All that the pretraining changes. */
export class AlbefStudent {
  readonly albef: Albef;
  readonly matching: AlbefMatching;

  constructor(p: ParameterSource, config: AlbefConfig) {
    this.albef = new Albef(p, config);
    this.matching = new AlbefMatching(p, config);
  }
}

/** Texts, each with its image, and whose they are: entities by any number, two of them different at least. */
export interface PairBatch {
  texts: BertBatch;
  /** [B, 3, S, S]. */
  pixels: Tensor;
  entities: readonly number[];
}

/** What does not match: for each text an image, for each image a text, by their places in the batch. i32 [B]. */
export interface Negatives {
  images: Tensor;
  texts: Tensor;
}

/** Noise of the draws, Gumbel(0, 1): of images for each text and of texts for each image, [B, B]. */
export interface DrawNoise {
  images: Tensor;
  texts: Tensor;
}

export interface PairLosses {
  /** Texts by images, [B, B]. */
  similarity: Tensor;
  negatives: Negatives;
  /** Of no match and of a match: B pairs, then each text with its drawn image, then each image's drawn text with it; [3 B, 2]. */
  logits: Tensor;
  contrast: Tensor;
  matching: Tensor;
  total: Tensor;
}

/** The losses of a batch, in the current scope. `maxScale`: the largest factor of similarities. */
export function pairLosses(
  { albef, matching }: AlbefStudent,
  { texts, pixels, entities }: PairBatch,
  noise: DrawNoise,
  maxScale: number,
): PairLosses {
  const { device } = pixels;
  const B = entities.length;
  const states = albef.encodeText(texts); // T [B, L, d]
  const images = albef.encodeImage(pixels); // V [B, R, d_v]
  const similarity = similarities(
    l2Normalize(albef.textProjection(firstTokens(states.hidden))),
    l2Normalize(albef.visionProjection(firstTokens(images))),
    albef.logitScale,
    maxScale,
  );
  const negatives = noGrad(() => drawNegatives(similarity, entities, noise));
  const three = threefold(states, texts, negatives.texts);
  const fused = albef.fuse(three, concat([images, rowsOf(images, negatives.images), images], 0));
  const logits = matching.logits(fused);
  const isMatch = Int32Array.from({ length: 3 * B }, (_, i) => Number(i < B));
  const losses = {
    contrast: contrastOf(similarity, entities),
    matching: crossEntropy(logits, device.tensor([3 * B], isMatch)),
  };
  return { similarity, negatives, logits, ...losses, total: add(losses.contrast, losses.matching) };
}

export function drawNoise(device: Device, B: number, random: Random): DrawNoise {
  return { images: gumbelNoise(device, [B, B], random), texts: gumbelNoise(device, [B, B], random) };
}

/** Less than any similarity with any noise. */
const never = -1e30;

/** The largest of logits with Gumbel noise is a draw from their softmax (Gumbel 1954); pairs of one entity are never drawn. */
export function drawNegatives(similarity: Tensor, entities: readonly number[], noise: DrawNoise): Negatives {
  const B = entities.length;
  const same = entities.flatMap((a) => entities.map((b) => (a === b ? never : 0)));
  const allowed = add(similarity, similarity.device.tensor([B, B], Float32Array.from(same)));
  return {
    images: argmax(add(allowed, noise.images)),
    texts: argmax(add(transpose(allowed, [1, 0]), noise.texts)),
  };
}

/** The texts twice, then the drawn ones. */
function threefold({ hidden, keyMask, ...others }: BertStates, texts: BertBatch, drawn: Tensor): BertStates {
  return {
    ...others,
    hidden: concat([hidden, hidden, rowsOf(hidden, drawn)], 0),
    keyMask: keyMask && concat([keyMask, keyMask, maskRows(texts, drawn)], 0),
  };
}

/** Rows of the texts' mask by their numbers, i32 [n, L]; what picks rows gives floats, of which argmax makes integers. */
function maskRows({ mask, count, length }: BertBatch, rows: Tensor): Tensor {
  const { device } = rows;
  const picked = embedding(device.tensor([count, length], Float32Array.from(mask)), rows);
  const half = affine(device.zeros([rows.size, length, 1]), 1, 0.5);
  return argmax(concat([half, reshape(picked, [rows.size, length, 1])], 2));
}
