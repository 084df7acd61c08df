// RUN/compare.json: how a comparison came out. Its form, its writer, and a reader that checks it.

import * as v from 'valibot';
import { writeTextAtomically } from '../../files/atomic-file.ts';
import { InputError } from '../../files/errors.ts';
import { kindOf, parseJson } from '../../files/json/json-fields.ts';
import { parseBySchema } from '../../files/json/schema.ts';
import { readText } from '../../files/read-text.ts';

/** Raise it when the meaning of a field changes. */
const comparisonVersion = 1;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Percent; `mr` a rank. */
const metrics = v.strictObject({
  'hits@1': v.number(),
  'hits@3': v.number(),
  'hits@5': v.number(),
  'hits@10': v.number(),
  'hits@20': v.number(),
  mrr: v.number(),
  mr: v.number(),
});

/** Groups of mentions that results are given for, as far as a split has some: all, by kind, by whether there is an image. */
export const mentionGroups = ['all', 'gloss', 'sentence', 'image', 'no image'] as const;
export type MentionGroup = (typeof mentionGroups)[number];

const byGroup = <S extends v.GenericSchema>(value: S) => v.record(v.picklist(mentionGroups), value);

const costs = v.strictObject({
  /** Seconds of steps and validations; null for a system without training. */
  train: v.nullable(v.number()),
  /** Seconds to encode the whole knowledge base, by a part of it. */
  encode: v.number(),
  /** Seconds to rank the split's mentions against the knowledge base, once that is encoded; and milliseconds a mention. */
  rank: v.number(),
  mention: v.number(),
  /** Most bytes on the device in training (null where that is not known) and in ranking. */
  trainBytes: v.nullable(v.number()),
  rankBytes: v.number(),
});

const systemSchema = v.strictObject({
  name: v.string(),
  title: v.string(),
  /** By which it was asked for: its own name, or that of the system that it is a part of. */
  contender: v.string(),
  /** Trained numbers. */
  parameters: count,
  /** Of a reranker: percent of mentions whose gold entity is among its candidates, the mean over the seeds. */
  recall: v.nullable(v.number()),
  /** In an index. */
  bytesPerEntity: v.number(),
  mean: byGroup(metrics),
  /** Sample standard deviation over the seeds; null for one. */
  spread: v.nullable(byGroup(metrics)),
  /** Means over the seeds. */
  costs,
  /** Each seed's; null is that of a system without training. */
  runs: v.array(v.strictObject({ seed: v.nullable(count), metrics: byGroup(metrics), costs })),
});

const pairSchema = v.strictObject({
  /** Names of systems, and H@1 of the first less that of the second, in points, with its interval of 95 %. */
  a: v.string(),
  b: v.string(),
  difference: v.number(),
  low: v.number(),
  high: v.number(),
  /** Of the randomisation test, and by Holm's correction for all pairs. */
  p: v.number(),
  adjusted: v.number(),
});

const comparisonSchema = v.strictObject({
  version: v.literal(comparisonVersion),
  /** The data set's name. */
  data: v.string(),
  split: v.picklist(['dev', 'test']),
  entities: count,
  /** How many mentions each group has. */
  mentions: byGroup(count),
  seeds: v.array(count),
  /** Part of the training mentions that was used, and epochs of every training, 0 for the preset's. */
  trainFraction: v.number(),
  epochs: count,
  device: v.string(),
  /** In the order of tables. */
  systems: v.array(systemSchema),
  pairs: v.array(pairSchema),
});
export type Comparison = v.InferOutput<typeof comparisonSchema>;
export type ComparedSystem = Comparison['systems'][number];
export type ComparedPair = Comparison['pairs'][number];
export type Costs = ComparedSystem['costs'];

/** Throws InputError where it cannot be written. */
export function writeComparison(path: string, comparison: Omit<Comparison, 'version'>): Promise<void> {
  const text = `${JSON.stringify({ version: comparisonVersion, ...comparison }, null, 2)}\n`;
  return writeTextAtomically(path, text);
}

/** Reads compare.json. Throws InputError for a file that is missing, damaged or of another version. */
export async function readComparison(path: string): Promise<Comparison> {
  const value = parseJson(path, await readText(path));
  const { version = null } = (value ?? {}) as { version?: unknown };
  if (version !== comparisonVersion) {
    throw new InputError({
      file: path,
      field: 'version',
      expected: `${comparisonVersion}; compare again`,
      found: kindOf(version),
    });
  }
  return parseBySchema(path, comparisonSchema, value);
}
