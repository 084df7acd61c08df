// Reads the raw release of MELBench (Wikidata-MEL.json and Richpedia-MEL.json, as they are or in their .zip): an object
// of samples by key, each {id, sentence, mentions, entities, answer}, where the last three are strings or equally long
// lists of strings. The release has no splits, no images and of the entities only their names. Knows nothing of the
// layout that it becomes.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { unzipSync } from 'fflate';
import { InputError } from '../../files/errors.ts';
import { fieldsOf, objectIn, parseJson } from '../../files/json/json-fields.ts';

/** One mention of a sample; `entity` is the name and `qid` the Wikidata id of its answer. */
type MelbenchMention = { word: string; entity: string; qid: string };

/** A sentence with one image and at least one mention. */
export type MelbenchSample = { id: string; sentence: string; mentions: MelbenchMention[] };

/** What was read: `skipped` counts the samples without a usable mention list and the mentions without a qid. */
type Melbench = {
  samples: MelbenchSample[];
  skipped: { samplesOfUnequalLists: number; mentionsWithoutQid: number; samplesWithoutMention: number };
};

/** Names by which MIMIC's users know the two sets. */
type MelbenchName = 'WIKIMEL' | 'RichpediaMEL';

/** An unpacked member may be this long; the releases have 6 MB. */
const LONGEST_MEMBER = 1 << 29;

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
  const value = objectIn(file, parseJson(file, decodeUtf8(file, bytes)), ' of samples by key');
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
  try {
    return await readFile(path);
  } catch (error) {
    const missing = (error as { code?: string }).code === 'ENOENT';
    throw new InputError(`${path}: ${missing ? 'no such file' : (error as Error).message}`);
  }
}

/** The one .json of a .zip, known by its first bytes; any other file as it is. */
function memberOf(path: string, bytes: Uint8Array): { file: string; bytes: Uint8Array } {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) return { file: path, bytes };
  const large: string[] = [];
  let members: [string, Uint8Array][];
  try {
    members = Object.entries(
      unzipSync(bytes, {
        filter({ name, originalSize }) {
          const wanted = name.endsWith('.json') && !name.startsWith('__MACOSX/');
          if (wanted && originalSize > LONGEST_MEMBER) large.push(name);
          return wanted && originalSize <= LONGEST_MEMBER;
        },
      }),
    );
  } catch (error) {
    throw new InputError(`${path}: not a whole zip file: ${(error as Error).message}`);
  }
  if (large.length > 0)
    throw new InputError(`${path}: ${large[0]}: expected at most ${LONGEST_MEMBER} bytes`);
  if (members.length !== 1)
    throw new InputError(`${path}: expected one .json in the zip, found ${members.length}`);
  const [name, content] = members[0]!;
  return { file: `${path}/${name}`, bytes: content };
}

function decodeUtf8(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${file}: expected UTF-8 text`);
  }
}
