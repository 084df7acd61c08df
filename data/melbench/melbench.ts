// Reads the raw release of MELBench (Wikidata-MEL.json and Richpedia-MEL.json, as they are or in their .zip): an object
// of samples by key, each {id, sentence, mentions, entities, answer}, where the last three are strings or equally long
// lists of strings. The release has no splits, no images and of the entities only their names. Knows nothing of the
// layout that it becomes.

import { basename } from 'node:path';
import { openFile } from '../../files/byte-source.ts';
import { InputError } from '../../files/errors.ts';
import { fieldsOf, objectIn, parseJson } from '../../files/json/json-fields.ts';
import { decodeText } from '../../files/read-text.ts';
import { isZip, unzipMember, zipMembers } from '../../files/zip.ts';

/** One mention of a sample; `entity` is the name and `qid` the Wikidata id of its answer. */
interface MelbenchMention {
  word: string;
  entity: string;
  qid: string;
}

/** A sentence with one image and at least one mention. */
export interface MelbenchSample {
  id: string;
  sentence: string;
  mentions: MelbenchMention[];
}

/** What was read: `skipped` counts the samples without a usable mention list and the mentions without a qid. */
interface Melbench {
  samples: MelbenchSample[];
  skipped: { samplesOfUnequalLists: number; mentionsWithoutQid: number; samplesWithoutMention: number };
}

/** Names by which MIMIC's users know the two sets. */
type MelbenchName = 'WIKIMEL' | 'RichpediaMEL';

/** An unpacked member may be this long; the releases have 6 MB, and 2 MB packed. */
const LONGEST_MEMBER = 2 ** 28;
const LONGEST_FILE = 2 ** 28;

/** Which set a file's name says it is; null where it says nothing. */
export function melbenchName(path: string): MelbenchName | null {
  const name = basename(path).toLowerCase();
  if (name.includes('richpedia')) return 'RichpediaMEL';
  return name.includes('wikidata') || name.includes('wikimel') ? 'WIKIMEL' : null;
}

/**
 * Reads a release from a .zip with one .json in it, or from the .json. White space around texts goes. Throws one line
 * naming file, sample and field for what is damaged or of another form.
 */
export async function readMelbench(path: string): Promise<Melbench> {
  const { file, bytes } = memberOf(path, await readBytes(path));
  const value = objectIn(file, parseJson(file, decodeText(file, bytes)), ' of samples by key');
  const skipped = { samplesOfUnequalLists: 0, mentionsWithoutQid: 0, samplesWithoutMention: 0 };
  const samples: MelbenchSample[] = [];
  for (const [key, entry] of Object.entries(value)) {
    const fields = fieldsOf(file, key, entry);
    const sentence = fields.text('sentence').trim();
    const [words, entities, answers] = ['mentions', 'entities', 'answer'].map((name) => fields.list(name));
    if (words!.length !== entities!.length || words!.length !== answers!.length) {
      skipped.samplesOfUnequalLists += 1;
      continue;
    }
    const mentions = words!
      .map((word, i) => ({ word: word.trim(), entity: entities![i]!.trim(), qid: answers![i]!.trim() }))
      .filter(({ qid }) => /^Q\d+$/.test(qid));
    skipped.mentionsWithoutQid += words!.length - mentions.length;
    if (mentions.length === 0) skipped.samplesWithoutMention += 1;
    else samples.push({ id: key, sentence, mentions });
  }
  if (samples.length === 0) throw new InputError(`${file}: expected at least one sample, found none`);
  return { samples, skipped };
}

async function readBytes(path: string): Promise<Uint8Array> {
  const source = await openFile(path);
  try {
    if (source.size > LONGEST_FILE) throw new InputError(`${path}: expected at most ${LONGEST_FILE} bytes`);
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

/** The one .json of a .zip; any other file as it is. */
function memberOf(path: string, bytes: Uint8Array): { file: string; bytes: Uint8Array } {
  if (!isZip(bytes)) return { file: path, bytes };
  const members = zipMembers(path, bytes).filter(
    ({ name }) => name.endsWith('.json') && !name.startsWith('__MACOSX/'),
  );
  if (members.length !== 1) {
    throw new InputError(`${path}: expected one .json in the zip, found ${members.length}`);
  }
  const member = members[0]!;
  return { file: `${path}/${member.name}`, bytes: unzipMember(path, bytes, member, LONGEST_MEMBER) };
}
