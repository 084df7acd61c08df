// What the pretraining of a tiny BERT is told: the recipe, number by number.

import * as v from 'valibot';
import { fieldError } from '../config/check.ts';
import { integer, path, real, text as word } from '../config/fields.ts';
import { counted, optimiserFields } from '../config/recipe-fields.ts';

export const bertSchema = v.strictObject({
  data: v.strictObject({ folder: path({ description: 'folder of the data set', isPlace: true }) }),
  wordnet: v.strictObject({ folder: path({ description: "folder of WordNet's files", isPlace: true }) }),
  run: v.optional(
    v.strictObject({
      folder: v.optional(
        path({ description: 'folder of checkpoints and metrics', isPlace: true }),
        'runs/bert',
      ),
    }),
    {},
  ),
  out: v.strictObject({ folder: path({ description: 'folder to write', isPlace: true }) }),
  training: v.optional(
    v.strictObject({
      seed: v.optional(integer(0, { description: 'of weights and batches' }), 1),
      checkpointSteps: counted(130, 'steps between two checkpoints', 'steps', 1),
    }),
    {},
  ),
  corpus: v.optional(
    v.strictObject({
      seed: v.optional(integer(0, { description: 'of which texts' }), 1),
      texts: counted(0, 'texts of WordNet to use; 0: all', 'texts'),
      sentences: v.optional(
        word({
          description:
            "file of ordinary sentences of training entities that the vocabulary is trained on, too; '' for none",
          isPlace: true,
        }),
        '',
      ),
      contextWords: counted(2, 'nouns that an example sentence is taken with, at most', 'nouns'),
    }),
    {},
  ),
  text: v.optional(
    v.strictObject({
      vocabulary: counted(3000, 'tokens to train', 'tokens', 104),
      width: counted(64, 'width of the encoder', 'numbers', 1),
      heads: counted(2, 'attention heads', 'heads', 1),
      layers: counted(3, 'layers', 'layers', 1),
      length: counted(64, 'most tokens of a text', 'tokens', 5),
    }),
    {},
  ),
  loss: v.optional(
    v.strictObject({
      logitScale: v.optional(
        real({ least: 1 }, { description: 'factor of similarities at the beginning' }),
        20,
      ),
      maxLogitScale: v.optional(real({ least: 1 }, { description: 'largest factor of similarities' }), 50),
    }),
    {},
  ),
  contrast: v.optional(
    v.strictObject({
      ...optimiserFields(null, { steps: 1000, warmup: 60, rate: 1e-3, decay: 0.1, clip: 1 }),
      sensePairs: counted(128, 'senses of WordNet with two texts a step', 'pairs', 2),
    }),
    {},
  ),
});
export type BertPretraining = v.InferOutput<typeof bertSchema>;

/** Throws ConfigError for fields that do not go with each other. */
export function checkBertFields({ text: { width, heads } }: BertPretraining): void {
  if (width % heads !== 0) throw fieldError('text.heads', `a divisor of the width ${width}`, heads);
}
