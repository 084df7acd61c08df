// What a contender came to with one seed, in a folder: NAME.made-from.json says of what its checkpoints are, so that a training
// that was interrupted goes on and one of something else is done again; NAME.ranks.json has the ranks of all mentions and what
// they took.

import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { writeTextAtomically } from '../../files/atomic-file.ts';
import { fileError, InputError } from '../../files/errors.ts';
import { checkedJson, parseCheckedJson } from '../../files/json/checked-json.ts';
import { parseBySchema } from '../../files/json/schema.ts';
import { readText } from '../../files/read-text.ts';
import { removeFiles, stagingOf, trainingFiles } from '../../train/staging.ts';

/** Raise one when the meaning of its file changes: files of another version are made again. */
const versions = { madeFrom: 2, ranks: 2 } as const;

const seconds = v.number();

const madeFromSchema = v.strictObject({
  version: v.literal(versions.madeFrom),
  /** Hash of the configurations, the data and the encoders. */
  fingerprint: v.string(),
  /** Most bytes on the device in a step, by training. */
  peakBytes: v.record(v.string(), v.number()),
});
export type MadeFrom = v.InferOutput<typeof madeFromSchema>;

const rowSchema = v.strictObject({
  title: v.string(),
  /** Of each mention of the split, in its order. */
  ranks: v.array(v.number()),
  /** Trained numbers. */
  parameters: v.number(),
  /** Of a reranker: percent of mentions whose gold entity is among its candidates. */
  recall: v.nullable(v.number()),
  bytesPerEntity: v.number(),
  /** train: null for a system without training. The others as eval/compare/measure.ts says. */
  seconds: v.strictObject({ train: v.nullable(seconds), encode: seconds, rank: seconds }),
  /** train: null where that is not known. */
  peakBytes: v.strictObject({ train: v.nullable(v.number()), rank: v.number() }),
});
/** A row of the tables with one seed. */
export type RowResults = v.InferOutput<typeof rowSchema>;

const ranksSchema = v.strictObject({
  version: v.literal(versions.ranks),
  /** Hash of what the checkpoints were made from, and of the split. */
  fingerprint: v.string(),
  /** By name, in the order of tables. */
  rows: v.record(v.string(), rowSchema),
});

type OnWarning = ((line: string) => void) | undefined;

/** A contender's files of a seed. */
export interface KeptPlace {
  folder: string;
  /** The contender's name. */
  name: string;
}

/** Ranks by the names of rows; null where they are not there, or of something else. */
export async function readRanks(
  place: KeptPlace,
  fingerprint: string,
  onWarning: OnWarning,
): Promise<Record<string, RowResults> | null> {
  const found = await readKept(ranksFile(place), versions.ranks, ranksSchema, onWarning);
  return found !== null && found !== 'damaged' && found.fingerprint === fingerprint ? found.rows : null;
}

/** Throws InputError where they cannot be written. */
export function writeRanks(
  place: KeptPlace,
  fingerprint: string,
  rows: Readonly<Record<string, RowResults>>,
): Promise<void> {
  const kept = { version: versions.ranks, fingerprint, rows };
  return writeTextAtomically(ranksFile(place), checkedJson(kept));
}

/**
 * Makes a folder ready for a contender's trainings of these names: what is there of the same fingerprint stays, to be gone on
 * with, and of another is removed. Throws InputError where it cannot be written.
 */
export async function openTrainings(
  place: KeptPlace,
  fingerprint: string,
  trainings: readonly string[],
  onWarning: OnWarning,
): Promise<MadeFrom> {
  const found = await readKept(madeFromFile(place), versions.madeFrom, madeFromSchema, onWarning);
  if (found !== null && found !== 'damaged' && found.fingerprint === fingerprint) return found;
  const fresh = { version: versions.madeFrom, fingerprint, peakBytes: {} };
  if (found === 'damaged') {
    // The checkpoints say themselves what they are of, and refuse another training.
    await writeMadeFrom(place, fresh);
    return fresh;
  }
  const { folder } = place;
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw fileError(folder, error, 'written');
  });
  await rm(ranksFile(place), { force: true });
  for (const name of trainings) {
    for (const own of [join(folder, name), stagingOf(join(folder, name))]) {
      if (existsSync(own)) await removeFiles(own, trainingFiles);
    }
  }
  await writeMadeFrom(place, fresh);
  return fresh;
}

/** Throws InputError where it cannot be written. */
export function writeMadeFrom(place: KeptPlace, madeFrom: MadeFrom): Promise<void> {
  return writeTextAtomically(madeFromFile(place), checkedJson(madeFrom));
}

function madeFromFile({ folder, name }: KeptPlace): string {
  return join(folder, `${name}.made-from.json`);
}

function ranksFile({ folder, name }: KeptPlace): string {
  return join(folder, `${name}.ranks.json`);
}

/** Null for a file that is not there; what it is about is made again then, and where it is damaged or of another version. */
async function readKept<S extends v.GenericSchema>(
  path: string,
  version: number,
  schema: S,
  onWarning: OnWarning,
): Promise<v.InferOutput<S> | 'damaged' | null> {
  if (!existsSync(path)) return null;
  try {
    const fields = parseCheckedJson(path, await readText(path), version, 'it is made again');
    return parseBySchema(path, schema, fields);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    onWarning?.(error.message);
    return 'damaged';
  }
}
