// The baselines by name: how each is built from a configuration. A new one is a folder beside this file and a line here.

import * as v from 'valibot';
import { InputError } from '../../files/errors.ts';
import { parseBySchema } from '../../files/json/schema.ts';
import type { AnyBaseline, BaselineParts } from './baseline.ts';
import { ClipBaseline, clipSchema } from './clip/clip-baseline.ts';

interface BaselineSystem {
  /** For tables. */
  title: string;
  /** Throws InputError for fields that are no configuration of it; `file` is where they are from. */
  build(name: string, parts: BaselineParts, file: string, fields: unknown): AnyBaseline;
}

export const baselines: Readonly<Record<string, BaselineSystem>> = {
  'clip-zero-shot': system('CLIP, zero-shot', clipSchema, (...of) => new ClipBaseline('none', ...of)),
  'clip-head': system('CLIP, trained head', v.strictObject({}), (name, parts) => {
    return new ClipBaseline('head', name, parts, { cross: false });
  }),
  clip: system('CLIP, fine-tuned', clipSchema, (...of) => new ClipBaseline('all', ...of)),
};

/**
 * The baseline of this name; `fields`: its configuration as read from `file`, {} for the usual one. Throws InputError for a
 * name that there is not and for fields that are no configuration of it.
 */
export function buildBaseline(
  name: string,
  parts: BaselineParts,
  file = name,
  fields: unknown = {},
): AnyBaseline {
  const found = Object.hasOwn(baselines, name) ? baselines[name] : undefined;
  if (found) return found.build(name, parts, file, fields);
  const names = Object.keys(baselines).join(', ');
  throw new InputError({ file, field: 'baseline', expected: `one of ${names}`, found: name });
}

function system<const S extends v.GenericSchema>(
  title: string,
  schema: S,
  build: (name: string, parts: BaselineParts, config: v.InferOutput<S>) => AnyBaseline,
): BaselineSystem {
  return {
    title,
    build: (name, parts, file, fields) => build(name, parts, parseBySchema(file, schema, fields)),
  };
}
