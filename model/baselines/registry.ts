// The baselines by name: how each is built from a configuration. A new one is a folder beside this file and a line here.

import * as v from 'valibot';
import { InputError } from '../../files/errors.ts';
import { parseBySchema } from '../../files/json/schema.ts';
import type { AnyBaseline, BaselineParts, Recipe } from './baseline.ts';
import { ClipBaseline, clipRecipes, clipSchema, zeroShotSchema } from './clip/clip-baseline.ts';

interface BaselineSystem {
  /** For tables. */
  title: string;
  /** null for a system that is used as it comes. */
  recipe: Recipe | null;
  /** Whether training changes CLIP: then it needs one of its own. */
  trainsClip: boolean;
  /** Throws InputError for fields that are no configuration of it; `file` is where they are from. */
  build(name: string, parts: BaselineParts, file: string, fields: unknown): AnyBaseline;
}

export const baselines: Readonly<Record<string, BaselineSystem>> = {
  'clip-zero-shot': {
    title: 'CLIP, zero-shot',
    recipe: null,
    trainsClip: false,
    build: building(zeroShotSchema, (...of) => new ClipBaseline('none', ...of)),
  },
  'clip-head': {
    title: 'CLIP, trained head',
    recipe: clipRecipes.head,
    trainsClip: false,
    build: building(
      v.strictObject({}),
      (name, parts) => new ClipBaseline('head', name, parts, { cross: false }),
    ),
  },
  clip: {
    title: 'CLIP, fine-tuned',
    recipe: clipRecipes.all,
    trainsClip: true,
    build: building(clipSchema, (...of) => new ClipBaseline('all', ...of)),
  },
};

/** The names of the baselines that are trained. */
export const trainedBaselines: readonly string[] = Object.keys(baselines).filter(
  (name) => baselines[name]!.recipe !== null,
);

/** The baseline of this name; null where there is none. */
export function findBaseline(name: string): BaselineSystem | null {
  return Object.hasOwn(baselines, name) ? baselines[name]! : null;
}

/**
 * Builds the baseline of this name; `fields`: its configuration as read from `file`, {} for the usual one. Throws InputError
 * for a name that there is not and for fields that are no configuration of it.
 */
export function buildBaseline(
  name: string,
  parts: BaselineParts,
  file = name,
  fields: unknown = {},
): AnyBaseline {
  const found = findBaseline(name);
  if (found) return found.build(name, parts, file, fields);
  const names = Object.keys(baselines).join(', ');
  throw new InputError({ file, field: 'baseline', expected: `one of ${names}`, found: name });
}

function building<const S extends v.GenericSchema>(
  schema: S,
  build: (name: string, parts: BaselineParts, config: v.InferOutput<S>) => AnyBaseline,
): BaselineSystem['build'] {
  return (name, parts, file, fields) => build(name, parts, parseBySchema(file, schema, fields));
}
