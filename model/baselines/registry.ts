// The baselines by name: how each is built from a configuration. A new one is a folder beside this file and a line here.

import * as v from 'valibot';
import { InputError } from '../../files/errors.ts';
import { parseBySchema } from '../../files/json/schema.ts';
import { AlbefBaseline, albefRecipe, albefSchema } from './albef/albef-baseline.ts';
import type { AnyBaseline, BaselineParts, EncoderName, Recipe } from './baseline.ts';
import { BertBaseline, bertRecipe, bertSchema } from './bert/bert-baseline.ts';
import { BlinkBaseline, blinkRecipe, blinkSchema } from './blink/blink-baseline.ts';
import { ClipBaseline, clipRecipes, clipSchema, zeroShotSchema } from './clip/clip-baseline.ts';
import { DzmnedBaseline, dzmnedRecipe, dzmnedSchema } from './dzmned/dzmned-baseline.ts';
import { GhmfcBaseline, ghmfcRecipe, ghmfcSchema } from './ghmfc/ghmfc-baseline.ts';
import { JmelBaseline, jmelRecipe, jmelSchema } from './jmel/jmel-baseline.ts';
import { Mimic, mimicRecipe, mimicSchema } from './mimic/mimic.ts';

interface BaselineSystem {
  /** For tables. */
  title: string;
  /** null for a system that is used as it comes. */
  recipe: Recipe | null;
  /** The pretrained encoders that it has of its own, which training changes. */
  encoders: readonly EncoderName[];
  /** Throws InputError for fields that are no configuration of it; `file` is where they are from. */
  build(name: string, parts: BaselineParts, file: string, fields: unknown): Promise<AnyBaseline>;
}

export const baselines: Readonly<Record<string, BaselineSystem>> = {
  'clip-zero-shot': {
    title: 'CLIP, zero-shot',
    recipe: null,
    encoders: [],
    build: building(
      zeroShotSchema,
      async (name, parts, config) => new ClipBaseline('none', name, parts, parts.clip, config),
    ),
  },
  'clip-head': {
    title: 'CLIP, trained head',
    recipe: clipRecipes.head,
    encoders: [],
    build: building(
      v.strictObject({ loss: clipSchema.entries.loss }),
      async (name, parts, config) => new ClipBaseline('head', name, parts, parts.clip, config),
    ),
  },
  clip: {
    title: 'CLIP, fine-tuned',
    recipe: clipRecipes.all,
    encoders: ['clip'],
    build: building(
      clipSchema,
      async (name, parts, config) => new ClipBaseline('all', name, parts, await parts.own.clip(), config),
    ),
  },
  bert: {
    title: 'BERT',
    recipe: bertRecipe,
    encoders: ['bert'],
    build: building(
      bertSchema,
      async (name, parts, config) => new BertBaseline(name, parts, await parts.own.bert(), config),
    ),
  },
  blink: {
    title: 'BLINK, bi-encoder',
    recipe: blinkRecipe,
    encoders: ['bert'],
    build: building(blinkSchema, async (name, parts, config) => {
      const towers = { mention: await parts.own.bert(), entity: await parts.own.bert() };
      return new BlinkBaseline(name, parts, towers, config);
    }),
  },
  albef: {
    title: 'ALBEF',
    recipe: albefRecipe,
    encoders: ['albef'],
    build: building(
      albefSchema,
      async (name, parts, config) => new AlbefBaseline(name, parts, await parts.own.albef(), config),
    ),
  },
  dzmned: {
    title: 'DZMNED',
    recipe: dzmnedRecipe,
    encoders: [],
    build: building(dzmnedSchema, async (...of) => new DzmnedBaseline(...of)),
  },
  jmel: {
    title: 'JMEL',
    recipe: jmelRecipe,
    encoders: [],
    build: building(jmelSchema, async (...of) => new JmelBaseline(...of)),
  },
  ghmfc: {
    title: 'GHMFC',
    recipe: ghmfcRecipe,
    encoders: ['bert'],
    build: building(
      ghmfcSchema,
      async (name, parts, config) => new GhmfcBaseline(name, parts, await parts.own.bert(), config),
    ),
  },
  mimic: {
    title: 'MIMIC',
    recipe: mimicRecipe,
    encoders: ['clip'],
    build: building(
      mimicSchema,
      async (name, parts, config) => new Mimic(name, parts, await parts.own.clip(), config),
    ),
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
export async function buildBaseline(
  name: string,
  parts: BaselineParts,
  file = name,
  fields: unknown = {},
): Promise<AnyBaseline> {
  const found = findBaseline(name);
  if (found) return found.build(name, parts, file, fields);
  const names = Object.keys(baselines).join(', ');
  throw new InputError({ file, field: 'baseline', expected: `one of ${names}`, found: name });
}

function building<const S extends v.GenericSchema>(
  schema: S,
  build: (name: string, parts: BaselineParts, config: v.InferOutput<S>) => Promise<AnyBaseline>,
): BaselineSystem['build'] {
  return async (name, parts, file, fields) => build(name, parts, parseBySchema(file, schema, fields));
}
