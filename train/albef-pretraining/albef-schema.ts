// What the pretraining of a tiny ALBEF is told: the recipe, number by number.

import * as v from 'valibot';
import { clipSchema } from '../clip-pretraining/clip-schema.ts';
import { fieldError } from '../config/check.ts';
import { integer, path, real } from '../config/fields.ts';
import { counted, optimiserFields } from '../config/recipe-fields.ts';

export const albefSchema = v.strictObject({
  data: v.strictObject({ folder: path({ description: 'folder of the data set', isPlace: true }) }),
  bert: v.strictObject({
    folder: path({
      description:
        "folder of the BERT whose lower layers the text encoder begins as, in Hugging Face's layout",
      isPlace: true,
    }),
  }),
  run: v.optional(
    v.strictObject({
      folder: v.optional(
        path({ description: 'folder of checkpoints and metrics', isPlace: true }),
        'runs/albef',
      ),
    }),
    {},
  ),
  out: v.strictObject({ folder: path({ description: 'folder to write', isPlace: true }) }),
  training: v.optional(
    v.strictObject({
      seed: v.optional(integer(0, { description: 'of weights, batches, views and drawn pairs' }), 1),
      checkpointSteps: counted(100, 'steps between two checkpoints', 'steps', 1),
    }),
    {},
  ),
  text: v.optional(
    v.strictObject({
      layers: counted(2, 'layers of the text encoder, which begin as those of the BERT', 'layers', 1),
      length: counted(48, 'most tokens of a text', 'tokens', 4),
    }),
    {},
  ),
  fusion: v.optional(
    v.strictObject({
      layers: counted(2, 'layers that attend to the image, as wide as the BERT', 'layers', 1),
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
  loss: v.optional(
    v.strictObject({
      maxLogitScale: v.optional(
        real({ least: 1 }, { description: 'largest factor of similarities, which begins at 1 / 0.07' }),
        100,
      ),
    }),
    {},
  ),
  contrast: v.optional(
    v.strictObject({
      ...optimiserFields(null, { steps: 400, warmup: 40, rate: 1e-3, decay: 0.02, clip: 1 }),
      pairs: counted(64, 'texts with their images a step', 'pairs', 2),
    }),
    {},
  ),
  views: clipSchema.entries.views,
});
export type AlbefPretraining = v.InferOutput<typeof albefSchema>;

/** Throws ConfigError for fields that do not go with each other. */
export function checkAlbefFields({ vision }: AlbefPretraining): void {
  const { width, heads, imageSize, patchSize } = vision;
  if (width % heads !== 0) throw fieldError('vision.heads', `a divisor of the width ${width}`, heads);
  if (patchSize > imageSize) {
    throw fieldError('vision.patchSize', `at most the image's side ${imageSize}`, patchSize);
  }
}
