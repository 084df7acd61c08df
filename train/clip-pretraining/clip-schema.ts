// What the pretraining of a tiny CLIP is told.

import * as v from 'valibot';
import { fieldError } from '../config/check.ts';
import { integer, path, real, text } from '../config/fields.ts';

const counted = (usual: number, description: string, unit: string, least = 0) =>
  v.optional(integer(least, { description, unit }), usual);
const part = (usual: number, description: string, unit?: string) =>
  v.optional(real({ least: 0 }, { description, ...(unit === undefined ? {} : { unit }) }), usual);

export const clipSchema = v.strictObject({
  data: v.strictObject({ folder: path({ description: 'folder of the data set' }) }),
  wordnet: v.strictObject({ folder: path({ description: "folder of WordNet's noun files" }) }),
  out: v.strictObject({ folder: path({ description: 'folder to write' }) }),
  metrics: v.optional(
    v.strictObject({
      file: v.optional(
        text({ description: "file for one JSON line a step; '' for none", decides: false }),
        '',
      ),
    }),
    {},
  ),
  training: v.optional(
    v.strictObject({
      seed: v.optional(integer(0, { description: 'of weights, batches and views' }), 1),
      steps: counted(650, 'optimiser steps', 'steps', 1),
      warmupSteps: counted(60, 'steps in which the learning rate rises', 'steps'),
      learningRate: part(1e-3, 'highest learning rate; a cosine from there to 0'),
      beta1: part(0.9, 'of Adam'),
      beta2: part(0.98, 'of Adam'),
      weightDecay: part(0.1, 'decoupled, not on norms and biases'),
      clipNorm: part(1, 'largest norm of all gradients'),
    }),
    {},
  ),
  loss: v.optional(
    v.strictObject({
      maxLogitScale: v.optional(real({ least: 1 }, { description: 'largest factor of similarities' }), 50),
      wordNetWeight: part(2, "of the WordNet pairs' loss; that of the others is 1"),
    }),
    {},
  ),
  batch: v.optional(
    v.strictObject({
      textImagePairs: counted(64, 'entities with a text and an image a step', 'pairs'),
      imagePairs: counted(64, 'images with two views a step', 'pairs'),
      textPairs: counted(64, 'entities with two views of their text a step', 'pairs'),
      wordNetPairs: counted(128, 'senses with kinds and gloss a step', 'pairs'),
    }),
    {},
  ),
  views: v.optional(
    v.strictObject({
      wordDropout: part(0.5, 'largest part of the attributes left out of a text view'),
      zoom: part(0.25, 'how much larger or smaller an image view may be'),
      shift: part(0.12, 'how far an image view may be off, in parts of its side'),
      rotation: part(20, 'how far an image view may be turned', 'degrees'),
      colour: part(0.4, 'how much brightness, contrast and colours of an image view may change'),
    }),
    {},
  ),
  text: v.optional(
    v.strictObject({
      vocabulary: counted(3000, 'tokens to train', 'tokens', 514),
      width: counted(64, 'width of the text encoder', 'numbers', 1),
      heads: counted(2, 'attention heads of the text encoder', 'heads', 1),
      layers: counted(3, 'layers of the text encoder', 'layers', 1),
      length: counted(32, 'most tokens of a text', 'tokens', 2),
    }),
    {},
  ),
  vision: v.optional(
    v.strictObject({
      width: counted(96, 'width of the vision encoder', 'numbers', 1),
      heads: counted(3, 'attention heads of the vision encoder', 'heads', 1),
      layers: counted(3, 'layers of the vision encoder', 'layers', 1),
      imageSize: counted(64, 'side of an image', 'pixels', 1),
      patchSize: counted(16, 'side of a patch', 'pixels', 1),
    }),
    {},
  ),
  projection: v.optional(
    v.strictObject({ width: counted(64, 'width of the common space', 'numbers', 1) }),
    {},
  ),
});
export type ClipPretraining = v.InferOutput<typeof clipSchema>;

/** Throws ConfigError for fields that do not go with each other. */
export function checkClipFields({ text, vision }: ClipPretraining): void {
  for (const [side, { width, heads }] of Object.entries({ text, vision })) {
    if (width % heads === 0) continue;
    throw fieldError(`${side}.heads`, `a divisor of the width ${width}`, heads);
  }
  if (vision.patchSize <= vision.imageSize) return;
  throw fieldError('vision.patchSize', `at most the image's side ${vision.imageSize}`, vision.patchSize);
}
