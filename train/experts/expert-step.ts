// What one batch asks of an expert whose encoders are trained (its prompts, or all of CLIP): the loss and its gradients,
// the batch encoded whole or in chunks.

import { backward } from '../../engine/autograd.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Features, TextFeatures } from '../../model/clip/clip.ts';
import { encodeInGroups } from '../../model/clip/encode-in-groups.ts';
import { repeatImages } from '../../model/clip/encode-sides.ts';
import type { Expert, Side } from '../../model/dsmip/expert-model.ts';
import { type ExpertFeatures, seesImages, usesOf } from '../../model/dsmip/experts.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import type { SideBatch, StepBatch } from '../batch-inputs.ts';
import { type Encoding, encodeInChunks, type LossGradients } from './encode-in-chunks.ts';

const sides = ['mention', 'entity'] as const;

/** How a batch is encoded. */
export interface EncodeOptions {
  /** Texts or images at a time, 0 for all: then nothing is encoded twice, but all activations are on the device at once. */
  chunk: number;
  /** Groups by length that a side's texts are encoded in, where they are not in chunks; 1 for none. Default 1. */
  groups?: number;
}

/** Loss and gradients of a batch, in the current scope. */
export function lossGradients(
  expert: Expert,
  batch: StepBatch,
  { chunk, groups = 1 }: EncodeOptions,
): LossGradients {
  if (chunk > 0) return inChunks(expert, batch, chunk);
  const [mention, entity] = sides.map((side) => {
    const { texts, pixels, places } = batch[side];
    if (groups > 1) return inGroups(expert, side, batch[side], groups);
    return expert.encode(side, texts, pixels && pixelsOf(expert, pixels), places);
  });
  const loss = contrastiveLoss(expert.scores(mention!, entity!), batch.entities);
  return { loss, gradients: backward(loss) };
}

function inGroups(
  expert: Expert,
  side: Side,
  { texts, pixels, places }: SideBatch,
  groups: number,
): ExpertFeatures {
  const features: ExpertFeatures = {};
  if (usesOf(expert.kind).text) {
    features.text = encodeInGroups(texts, groups, (some) => expert.encodeTexts(side, some));
  }
  if (pixels && seesImages(expert.kind, side)) {
    features.image = repeatImages(expert.encodeImages(side, pixelsOf(expert, pixels)), places);
  }
  return features;
}

function inChunks(expert: Expert, batch: StepBatch, chunk: number): LossGradients {
  const encodings = encodingsOf(expert, batch);
  return encodeInChunks(expert.device, encodings, chunk, (features) =>
    lossOfEncodings(expert, batch, encodings, features),
  );
}

/** The texts or the images of one side. */
export interface SideEncoding extends Encoding {
  side: Side;
  of: 'text' | 'image';
}

/** All that the expert encodes of a batch. */
export function encodingsOf(expert: Expert, batch: StepBatch): SideEncoding[] {
  return sides.flatMap((side) => [
    ...(usesOf(expert.kind).text ? [texts(expert, side, batch[side])] : []),
    ...(seesImages(expert.kind, side) ? [images(expert, side, batch[side].pixels!)] : []),
  ]);
}

/** The batch's loss from the features of its encodings, all rows of each. */
export function lossOfEncodings(
  expert: Expert,
  batch: StepBatch,
  encodings: readonly SideEncoding[],
  features: readonly Features[],
): Tensor {
  const encoded: Record<Side, ExpertFeatures> = { mention: {}, entity: {} };
  encodings.forEach(({ side, of }, i) => {
    if (of === 'text') encoded[side].text = features[i] as TextFeatures;
    else encoded[side].image = repeatImages(features[i]!, batch[side].places);
  });
  return contrastiveLoss(expert.scores(encoded.mention, encoded.entity), batch.entities);
}

function texts(expert: Expert, side: Side, { texts: { ids, mask, count, length } }: SideBatch): SideEncoding {
  const rows = (of: Int32Array<ArrayBuffer>, first: number, count: number) =>
    of.subarray(first * length, (first + count) * length);
  const encode = (first: number, count: number) =>
    expert.encodeTexts(side, {
      ids: rows(ids, first, count),
      mask: rows(mask, first, count),
      count,
      length,
    });
  return { side, of: 'text', count, encode };
}

function images(expert: Expert, side: Side, pixels: Float32Array<ArrayBuffer>): SideEncoding {
  const plane = planeOf(expert);
  const encode = (first: number, count: number) =>
    expert.encodeImages(side, pixelsOf(expert, pixels.subarray(first * plane, (first + count) * plane)));
  return { side, of: 'image', count: pixels.length / plane, encode };
}

/** Images on the device: [B, 3, S, S]. */
function pixelsOf(expert: Expert, pixels: Float32Array<ArrayBuffer>): Tensor {
  const size = expert.config.clip.vision.imageSize;
  return expert.device.tensor([pixels.length / planeOf(expert), 3, size, size], pixels, { name: 'pixels' });
}

/** Numbers of an image. */
function planeOf({ config }: Expert): number {
  return 3 * config.clip.vision.imageSize ** 2;
}
