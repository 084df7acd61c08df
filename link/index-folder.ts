// Where an index is, and what it says of where it comes from: what opening it for linking begins with.

import { type EntityRecords, openEntityRecords } from '../data/entity-records.ts';
import { UsageError, WeightsError } from '../files/errors.ts';
import { isUrl, locate } from '../files/locate.ts';
import { resolvePath } from '../files/package-path.ts';
import { type Fingerprints, headName, type IndexHead } from '../ranking/index/format.ts';
import { hasIndex, readHead } from '../ranking/index/source.ts';

/** Folder of a run's index. */
export function indexFolder(run: string): string {
  return locate(run, 'index');
}

/** The file of an index's changes (changes/journal.ts); most have none. */
export function changesFile(index: string): string {
  return locate(index, 'changes.log');
}

/** Where the parts of a linker are. */
export interface LinkerPlaces {
  index: string;
  /** Null for a system that needs no run. */
  run: string | null;
  /** Null: what the run has. */
  system: string | null;
  clip: string;
  /** What the index says of itself. */
  head: IndexHead;
}

/** What `where` is: an index, else a run. */
export async function placesOf(where: string): Promise<{ index: string } | { run: string }> {
  return (await hasIndex(where)) ? { index: where } : { run: where };
}

/**
 * The places of all parts: those that are named, and for the rest what the index says that it was built with. Throws
 * UsageError where neither says it, WeightsError for an index that is missing, damaged or of another version.
 */
export async function findIndex(
  given: Readonly<Partial<Record<'index' | 'run' | 'system' | 'clip', string>>>,
): Promise<LinkerPlaces> {
  const index = given.index ?? (given.run === undefined ? null : indexFolder(given.run));
  if (index === null) throw new UsageError('a linker: expected a run or an index to open');
  const head = await readHead(index);
  const { origin } = head;
  // A path that a server's index names is none of its readers'.
  const from = (name: string) =>
    origin[name] === undefined || isUrl(index) ? null : resolvePath(origin[name]);
  const clip = given.clip ?? from('clip');
  if (clip === null) {
    throw new UsageError(
      `${locate(index, headName)}: does not say which CLIP it was built with; name its folder`,
    );
  }
  const run = given.run ?? from('run');
  return { index, run, system: given.system ?? origin['system'] ?? null, clip, head };
}

/** What is known of what the index of a model has to be made from; nothing of what lies at an address. */
export function knownFingerprints(model: string | null, tokenizer: string): Fingerprints {
  return { ...(model === null ? {} : { model }), ...(tokenizer === '' ? {} : { tokenizer }) };
}

/** Opens the records of an index's entities. Throws WeightsError for an index without, InputError for a damaged file. */
export async function openRecords(folder: string, { records, entities }: IndexHead): Promise<EntityRecords> {
  if (records === null) {
    throw new WeightsError(`${locate(folder, headName)}: records: expected a file of the entities' records`);
  }
  const path = locate(folder, records);
  const opened = await openEntityRecords(path);
  if (opened.count === entities) return opened;
  await opened.close();
  throw new WeightsError({ file: path, expected: `${entities} entities`, found: `${opened.count}` });
}
