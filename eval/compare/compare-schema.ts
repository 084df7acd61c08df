// What a comparison of systems is told.

import * as v from 'valibot';
import { integers, some } from '../../train/config/fields.ts';
import { baselineSchema, startSchema } from '../../train/config/schemas.ts';
import { contenders } from './contenders.ts';

export const compareSchema = v.strictObject({
  ...v.omit(baselineSchema, ['baseline', 'training']).entries,
  compare: v.optional(
    v.strictObject({
      systems: v.optional(
        some(
          contenders.map(({ name }) => name),
          { description: 'what is compared, separated by commas' },
        ),
        contenders.filter(({ isUsual }) => isUsual).map(({ name }) => name),
      ),
      seeds: v.optional(integers(0, { description: 'of everything random; a training each' }), [1, 2, 3]),
    }),
    {},
  ),
  training: v.optional(v.pick(startSchema.entries.training, ['epochs', 'trainFraction']), {}),
  evaluation: startSchema.entries.evaluation,
});
export type CompareConfig = v.InferOutput<typeof compareSchema>;
