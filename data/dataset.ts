// Reads a data set in the layout of MIMIC's users (WikiMEL, RichpediaMEL, WikiDiverse and OpenConcepts-MEL) and checks
// it: kb_entity.json, qid2id.json, {name}_train.json, {name}_dev.json, {name}_test.json, kb_image/ and
// mention_image(s)/; beside them {name}_dev_unlinkable.json and {name}_test_unlinkable.json. Beyond MIMIC's fields an entity
// may have `aliases`, which its attributes name as well, and a mention a `kind`. It reads as MIMIC's
// codes/utils/dataset.py does; what it has to be lenient with it remarks on.
// Images are named here, not opened. Knows nothing of tokens or models.

import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileError, InputError } from '../files/errors.ts';
import { type Fields, fieldsOf, kindOf, readArray, readObject } from '../files/json/json-fields.ts';
import { type Entity, type Mention, type MentionKind, mentionKinds, type Split } from './entity-mention.ts';

export { entityText, mentionText } from './entity-mention.ts';
export type { Entity, Mention, Split };

/**
 * A whole data set; one that is a knowledge base alone has no mentions. `unlinkable` are further mentions whose `entity`
 * counts as taken out of the knowledge base, none in most data sets. `skippedNil` counts mentions whose answer is
 * "nil": they have none in the knowledge base. `remarks` are lines on what is odd in the files and was read all the same;
 * none for a clean data set.
 */
export interface Dataset {
  name: string;
  entities: Entity[];
  splits: Record<Split, Mention[]>;
  unlinkable: Record<'dev' | 'test', Mention[]>;
  skippedNil: number;
  remarks: string[];
}

/**
 * Reads and checks the data set in `folder`; without any file of mentions it is a knowledge base alone. Throws InputError,
 * `FILE: entry N: field: what was expected`, for a missing or damaged file, a wrong type, a duplicate id or qid, an answer
 * outside the knowledge base, an empty split, and where some files of splits are there and others are not.
 */
export async function readDataset(folder: string): Promise<Dataset> {
  const files = await listFolder(folder);
  const remarks = new Remarks();
  const names = splitFiles(folder, files);
  const entities = await readEntities(folder, remarks);
  const splits: Record<Split, Mention[]> = { train: [], dev: [], test: [] };
  const unlinkable: Dataset['unlinkable'] = { dev: [], test: [] };
  let skippedNil = 0;
  if (names !== null) {
    const rows = await rowsByQid(join(folder, 'qid2id.json'), entities);
    const imageFolder = join(folder, files.includes('mention_images') ? 'mention_images' : 'mention_image');
    for (const split of ['train', 'dev', 'test'] as const) {
      const { mentions, nil } = await readMentions(join(folder, names[split]), rows, imageFolder, remarks);
      splits[split] = mentions;
      skippedNil += nil;
    }
    for (const split of ['dev', 'test'] as const) {
      const file = names[split].replace(/\.json$/, '_unlinkable.json');
      if (!files.includes(file)) continue;
      const { mentions } = await readMentions(join(folder, file), rows, imageFolder, remarks);
      unlinkable[split] = mentions;
    }
  }
  const name = names === null ? basename(resolve(folder)) : datasetName(names.train, folder);
  return { name, entities, splits, unlinkable, skippedNil, remarks: remarks.lines() };
}

/** A name of the files as it is meant: 'Caf%C3%A9' -> 'Café', as Python's urllib.parse.unquote has it. */
export function decodeName(name: string): string {
  return name.replace(/(?:%[0-9a-f]{2})+/gi, (run) =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      Uint8Array.from(run.slice(1).split('%'), (digits) => Number.parseInt(digits, 16)),
    ),
  );
}

/** The spelling that `decodeName` turns into `name`: '50% off' -> '50%25 off'. */
export function encodeName(name: string): string {
  return name.replaceAll('%', '%25');
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new InputError(`${folder}: no such folder`);
    throw fileError(folder, error);
  }
}

/** Names that published data sets give their splits' files; the longest prefix is the data set's name. */
const SPLIT_ENDINGS: Record<Split, string[]> = {
  train: ['train.json'],
  dev: ['dev.json', 'valid.json', 'val.json'],
  test: ['test.json'],
};

/** The splits' files; null where there is none at all: a knowledge base alone. */
function splitFiles(folder: string, files: string[]): Record<Split, string> | null {
  const filesOf = (split: Split): string[] =>
    files.filter((file) =>
      SPLIT_ENDINGS[split].some((ending) => file === ending || file.endsWith(`_${ending}`)),
    );
  const find = (split: Split): string => {
    const endings = SPLIT_ENDINGS[split];
    const found = filesOf(split);
    if (found.length === 0) throw new InputError(`${join(folder, `*_${endings[0]}`)}: no such file`);
    if (found.length > 1)
      throw new InputError(`${folder}: ${found.join(' and ')}: expected one file of split ${split}`);
    return found[0]!;
  };
  const hasSplits = (['train', 'dev', 'test'] as const).some((split) => filesOf(split).length > 0);
  if (!hasSplits && files.includes('kb_entity.json')) return null;
  return { train: find('train'), dev: find('dev'), test: find('test') };
}

function datasetName(trainFile: string, folder: string): string {
  return trainFile === 'train.json' ? basename(folder) : trainFile.replace(/_train\.json$/, '');
}

/** The entities by id. The file need not be in that order: MIMIC sorts it too. */
async function readEntities(folder: string, remarks: Remarks): Promise<Entity[]> {
  const file = join(folder, 'kb_entity.json');
  const entries = await readArray(file);
  if (entries.length === 0) throw new InputError(`${file}: expected at least one entity, found none`);
  const qids = new Map<string, number>();
  const ids = new Map<number, number>();
  let before = -1;
  const entities = entries.map((entry, i) => {
    const fields = fieldsOf(file, i, entry);
    const aliases = fields.names('aliases');
    const entity: Entity = {
      id: fields.integer('id'),
      qid: fields.filled('qid'),
      name: decodeName(fields.text('entity_name')),
      aliases,
      ...(aliases.length > 0 ? { hasAliasesInAttributes: true } : {}),
      attributes: fields.textOr('attr', ''),
      images: fields.names('image_list').map((name) => join(folder, 'kb_image', basename(name))),
    };
    const { id, qid, name } = entity;
    if (ids.has(id)) fields.fail('id', `${id} occurs twice, first in entry ${ids.get(id)}`);
    if (qids.has(qid)) fields.fail('qid', `${qid} occurs twice, first in entry ${qids.get(qid)}`);
    if (name.trim() === '') remarks.add(file, 'with an empty entity_name', i);
    if (id < before) remarks.add(file, 'out of the order of the ids, sorted', i);
    ids.set(id, i);
    qids.set(qid, i);
    before = id;
    return entity;
  });
  return entities.sort((a, b) => a.id - b.id);
}

/**
 * The row of each qid that an answer may name: those of kb_entity.json, which qid2id.json must give the same ids, and
 * others that qid2id.json gives an entity's id (MIMIC looks answers up there). Ids outside the knowledge base (some
 * files list "nil") count for nothing.
 */
async function rowsByQid(file: string, entities: Entity[]): Promise<Map<string, number>> {
  const ids = await readObject(file, ' of ids by qid');
  for (const { qid, id } of entities) {
    const listed = ids[qid];
    if (listed !== id)
      throw new InputError(
        `${file}: ${qid}: expected id ${id} as in kb_entity.json, found ${kindOf(listed)}`,
      );
  }
  const rowOfId = new Map(entities.map(({ id }, row) => [id, row]));
  const rows = new Map<string, number>();
  for (const [qid, id] of Object.entries(ids)) {
    const row = rowOfId.get(id as number);
    if (row !== undefined) rows.set(qid, row);
  }
  return rows;
}

async function readMentions(
  file: string,
  rows: Map<string, number>,
  imageFolder: string,
  remarks: Remarks,
): Promise<{ mentions: Mention[]; nil: number }> {
  const entries = await readArray(file);
  let nil = 0;
  const mentions = entries.flatMap((entry, i): Mention[] => {
    const fields = fieldsOf(file, i, entry);
    const answer = fields.filled('answer');
    if (answer.toLowerCase() === 'nil') {
      nil += 1;
      return [];
    }
    const entity = rows.get(answer);
    if (entity === undefined)
      return fields.fail('answer', `expected a qid of kb_entity.json, found ${answer}`);
    const word = decodeName(fields.text('mentions'));
    const sentence = fields.text('sentence');
    if (word.trim() === '') remarks.add(file, 'with an empty mention', i);
    if (sentence.trim() === '') remarks.add(file, 'with an empty sentence', i);
    const image = imageFile(fields.textOr('imgPath', ''));
    return [
      {
        id: fields.id('id', i),
        word,
        sentence,
        entity,
        image: image === '' ? null : join(imageFolder, image),
        ...kindIn(fields),
      },
    ];
  });
  if (mentions.length === 0)
    throw new InputError(`${file}: expected at least one mention with an answer, found none`);
  return { mentions, nil };
}

function kindIn(fields: Fields): { kind?: MentionKind } {
  const text = fields.textOr('kind', '');
  if (text === '') return {};
  const kind = mentionKinds.find((known) => known === text);
  return kind ? { kind } : fields.fail('kind', `expected ${mentionKinds.join(' or ')}, found ${text}`);
}

/** MIMIC's rule: the basename up to its first dot, as JPEG; '' stays ''. */
function imageFile(path: string): string {
  const stem = path.slice(path.lastIndexOf('/') + 1).split('.')[0]!;
  return stem === '' ? '' : `${stem}.jpg`;
}

/** Counts what is odd, and where it was first. */
class Remarks {
  readonly #found = new Map<string, { file: string; what: string; count: number; first: number }>();

  add(file: string, what: string, entry: number): void {
    const key = `${file}: ${what}`;
    const known = this.#found.get(key);
    if (known) known.count += 1;
    else this.#found.set(key, { file, what, count: 1, first: entry });
  }

  lines(): string[] {
    return [...this.#found.values()].map(
      ({ file, what, count, first }) =>
        `${file}: ${count} ${count === 1 ? 'entry' : 'entries'} ${what} (${count === 1 ? '' : 'first '}entry ${first})`,
    );
  }
}
