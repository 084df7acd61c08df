// Brings the raw release of MELBench into the layout that a data set has. The release says nothing of splits, and of
// entities only their names; both are files of the authors' later repository (MEL-GHMFC). Without them the split is 70 / 10 /
// 20 % by seed and the entities' attributes are empty. Images are not in the release: they go into OUT/mention_image as
// ID.jpg.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTextAtomically } from '../../files/atomic-file.ts';
import { InputError, UsageError } from '../../files/errors.ts';
import { fieldsOf, readObject } from '../../files/json/json-fields.ts';
import type { Split } from '../dataset.ts';
import { type MelbenchSample, melbenchName, readMelbench } from './melbench.ts';
import { entityRows, mentionRows, randomSplits, type SplitOf } from './melbench-layout.ts';

export interface MelbenchImport {
  /** A zip of the release, or the .json from it. */
  from: string;
  /** Folder for the data set. */
  out: string;
  /** Prefix of the splits' files; '': by the name of `from`. */
  name: string;
  /** Which random split. */
  seed: number;
  /** JSON file {train, dev, test} of lists of sample ids, instead of a random split; '' for none. */
  splits: string;
  /** JSON file of entities' attributes by qid; '' for none. */
  texts: string;
  /** Whether a data set in `out` is replaced. */
  force: boolean;
}

/**
 * Writes the data set and returns lines on what is in it. All that is read is checked before anything is written. Throws
 * InputError.
 */
export async function importMelbench({
  from,
  out,
  name,
  seed,
  splits,
  texts,
  force,
}: MelbenchImport): Promise<string[]> {
  const prefix = name || melbenchName(from);
  if (prefix === null) {
    throw new UsageError(
      `${from}: its name does not say which data set it is; expected a name, WIKIMEL or RichpediaMEL`,
    );
  }
  if (!/^\w+$/.test(prefix)) throw new UsageError(`name ${prefix}: expected letters and digits`);
  const base = join(out, 'kb_entity.json');
  if (existsSync(base) && !force)
    throw new UsageError(`${base}: exists already, and is replaced only by force`);

  const { samples, skipped } = await readMelbench(from);
  const splitOf = splits === '' ? randomSplits(samples, seed) : await readSplits(splits);
  const used = samples.filter(({ id }) => splitOf.has(id));
  if (used.length === 0) throw new UsageError(`${splits}: names no sample of ${from}`);
  const attributes = texts === '' ? new Map<string, string>() : await readTexts(texts);
  const { rows: entities, renamed } = entityRows(used, attributes);
  const mentions = mentionRows(samples, splitOf);
  for (const [split, rows] of Object.entries(mentions)) {
    if (rows.length === 0) throw new UsageError(`${splits || from}: leaves no mention to ${split}`);
  }

  await mkdir(out, { recursive: true });
  for (const [split, rows] of Object.entries(mentions)) {
    await writeJson(join(out, `${prefix}_${split}.json`), lines(rows));
  }
  const ids = Object.fromEntries(entities.map(({ qid, id }) => [qid, id]));
  await writeJson(join(out, 'qid2id.json'), JSON.stringify(ids));
  await writeJson(base, lines(entities));

  const sum = (of: readonly MelbenchSample[]) => of.reduce((total, each) => total + each.mentions.length, 0);
  const { train, dev, test } = mentions;
  const withText = entities.filter(({ attr }) => attr !== '').length;
  const empty = used.flatMap((sample) => sample.mentions).filter(({ word }) => word === '').length;
  return [
    `${from}: ${samples.length + skipped.samplesOfUnequalLists + skipped.samplesWithoutMention} samples, ` +
      `${sum(samples) + skipped.mentionsWithoutQid} mentions in lists of equal length`,
    `  skipped: ${skipped.samplesOfUnequalLists} samples whose mentions, entities and answers differ in number`,
    `  skipped: ${skipped.mentionsWithoutQid} mentions whose answer is no qid ` +
      `(${skipped.samplesWithoutMention} samples had no other)`,
    `  skipped: ${samples.length - used.length} samples (${sum(samples) - sum(used)} mentions) in no split`,
    `  kept: ${used.length} samples, ${sum(used)} mentions; ${empty} with an empty word`,
    `${prefix}: ${train.length} / ${dev.length} / ${test.length} mentions to train, validate, test` +
      (splits === '' ? ` (random, seed ${seed}; samples with the same sentence together)` : ` (${splits})`),
    `  ${entities.length} entities, ${withText} with attributes, ${entities.length - withText} with their name only`,
    ...(splits !== '' && splitOf.size > used.length
      ? [`  ${splits} names ${splitOf.size - used.length} samples that ${from} has not`]
      : []),
    ...(renamed.size > 0 ? [`  ${renamed.size} entities with several names, the first taken`] : []),
    `wrote ${out}; put the images there as ${join('mention_image', 'ID.jpg')}`,
  ];
}

/** The authors' splits.json; a sample in two of the lists is an error. */
async function readSplits(file: string): Promise<SplitOf> {
  const fields = fieldsOf(file, 'of the whole file', await readObject(file, ' {train, dev, test}'));
  const splits = new Map<string, Split>();
  for (const split of ['train', 'dev', 'test'] as const) {
    const ids = fields.list(split);
    if (ids.length === 0) throw new InputError(`${file}: ${split}: expected a list of sample ids`);
    for (const id of ids) {
      if (splits.has(id)) throw new InputError(`${file}: ${split}: sample ${id} occurs twice`);
      splits.set(id, split);
    }
  }
  return splits;
}

async function readTexts(file: string): Promise<Map<string, string>> {
  const value = await readObject(file, ' of texts by qid');
  const fields = fieldsOf(file, 'of the whole file', value);
  return new Map(Object.keys(value).map((qid) => [qid, fields.text(qid)]));
}

/** One entry a line, so that a change shows in a diff. */
function lines(rows: readonly object[]): string {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]`;
}

function writeJson(file: string, json: string): Promise<void> {
  return writeTextAtomically(file, `${json}\n`);
}
