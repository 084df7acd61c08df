// The rerankers by name: which trained baseline proposes their candidates, and how each is built from a configuration.

import type * as v from 'valibot';
import { InputError } from '../../files/errors.ts';
import { parseBySchema } from '../../files/json/schema.ts';
import { AlbefMatcher, matcherRecipe, matcherSchema } from './albef/albef-matcher.ts';
import type { BaselineParts, EncoderName } from './baseline.ts';
import { CrossEncoder, crossEncoderRecipe, crossEncoderSchema } from './blink/cross-encoder.ts';
import { findBaseline, trainedBaselines } from './registry.ts';
import type { AnyReranker, RerankerRecipe } from './trained-reranker.ts';

interface RerankerSystem {
  /** For tables. */
  title: string;
  recipe: RerankerRecipe;
  /** The baseline of the same run that proposes candidates. */
  firstStage: string;
  /** The pretrained encoders that it has of its own, which training changes. */
  encoders: readonly EncoderName[];
  /** Throws InputError for fields that are no configuration of it; `file` is where they are from. */
  build(name: string, parts: BaselineParts, file: string, fields: unknown): Promise<AnyReranker>;
}

export const rerankers: Readonly<Record<string, RerankerSystem>> = {
  'blink-two-stage': {
    title: 'BLINK, two-stage',
    recipe: crossEncoderRecipe,
    firstStage: 'blink',
    encoders: ['bert'],
    build: building(
      crossEncoderSchema,
      async (name, parts, config) => new CrossEncoder(name, parts, await parts.own.bert(), config),
    ),
  },
  'albef-two-stage': {
    title: 'ALBEF, two-stage',
    recipe: matcherRecipe,
    firstStage: 'albef',
    encoders: ['albef'],
    build: building(
      matcherSchema,
      async (name, { device, own }, config) =>
        new AlbefMatcher(name, device, await own.albef({ matching: true }), config),
    ),
  },
};

/** The names of all that `trainBaseline` trains: baselines, and rerankers after what proposes their candidates. */
export const trainedSystems: readonly string[] = [...trainedBaselines, ...Object.keys(rerankers)];

/** The reranker of this name; null where there is none. */
export function findReranker(name: string): RerankerSystem | null {
  return Object.hasOwn(rerankers, name) ? rerankers[name]! : null;
}

/** How a system is trained unless told otherwise; null for one that is not trained, or that there is not. */
export function recipeOf(name: string): RerankerRecipe | null {
  return findReranker(name)?.recipe ?? findBaseline(name)?.recipe ?? null;
}

/**
 * Builds the reranker of this name; `fields`: its configuration as read from `file`, {} for the usual one. Throws InputError
 * for a name that there is not and for fields that are no configuration of it.
 */
export async function buildReranker(
  name: string,
  parts: BaselineParts,
  file = name,
  fields: unknown = {},
): Promise<AnyReranker> {
  const found = findReranker(name);
  if (found) return found.build(name, parts, file, fields);
  const names = Object.keys(rerankers).join(', ');
  throw new InputError({ file, field: 'reranker', expected: `one of ${names}`, found: name });
}

function building<const S extends v.GenericSchema>(
  schema: S,
  build: (name: string, parts: BaselineParts, config: v.InferOutput<S>) => Promise<AnyReranker>,
): RerankerSystem['build'] {
  return async (name, parts, file, fields) => build(name, parts, parseBySchema(file, schema, fields));
}
