// What the paper's ablations over several seeds are told.

import * as v from 'valibot';
import { choice, integers, real, some } from '../../train/config/fields.ts';
import { gateSchema, startSchema } from '../../train/config/schemas.ts';
import { ablationRows } from './cells.ts';

const { data, clip, cache, run, training } = startSchema.entries;

export const ablationSchema = v.strictObject({
  data,
  clip,
  run,
  cache,
  gate: v.pick(gateSchema.entries.gate, ['image', 'vgg']),
  training: v.pick(training, ['epochs', 'batchSize']),
  ablation: v.optional(
    v.strictObject({
      seeds: v.optional(integers(0, { description: 'of everything random' }), [1, 2, 3]),
      rows: v.optional(some(ablationRows, { description: 'rows to fill' }), [...ablationRows]),
      fraction: v.optional(
        real({ above: 0, most: 1 }, { description: 'part of the training mentions of the low-resource row' }),
        0.1,
      ),
    }),
    {},
  ),
  evaluation: v.optional(
    v.strictObject({
      split: v.optional(choice(['dev', 'test'], { description: 'what to evaluate on' }), 'dev'),
    }),
    {},
  ),
});
