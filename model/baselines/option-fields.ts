// Fields that several baselines' configurations have.

import * as v from 'valibot';

/** What texts are seen by: features of the frozen CLIP, or token ids, embedded by the system itself. */
export const textField = v.optional(v.picklist(['clip', 'static']), 'clip');

/** How many of something there are. */
export const count = (usual: number) => v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), usual);

/** A part of a whole that is less than all of it. */
export const part = (usual: number) => v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), usual);
