// Reads a data set in the layout of MIMIC's users (WikiMEL, RichpediaMEL, WikiDiverse and OpenConcepts-MEL) and checks
// it: kb_entity.json, qid2id.json, {name}_train.json, {name}_dev.json, {name}_test.json, kb_image/ and
// mention_image(s)/. Images are named here, not opened. Knows nothing of tokens or models.

import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readText } from './read-text.ts';

/** An entity of the knowledge base. `images` are paths of files, which may be missing. */
export type Entity = {
  id: number;
  qid: string;
  name: string;
  attributes: string;
  type: string;
  images: string[];
};

/** A mention; `entity` is its answer's row in `Dataset.entities`, `image` a path or null for none. */
export type Mention = { id: string; word: string; sentence: string; entity: number; image: string | null };

export type Split = 'train' | 'dev' | 'test';

/** A whole data set. `skippedNil` counts mentions whose answer is "nil": they have none in the knowledge base. */
export type Dataset = {
  name: string;
  entities: Entity[];
  splits: Record<Split, Mention[]>;
  skippedNil: number;
};

/** The text by which an entity is known to the encoder. */
export function entityText(entity: Entity): string {
  return `${entity.name} : ${entity.attributes}`;
}

/** The text by which a mention is known to the encoder. */
export function mentionText(mention: Mention): string {
  return `${mention.word} : ${mention.sentence}`;
}

/**
 * Reads and checks the data set in `folder`. Throws one line, `FILE: entry N: field: what was expected`, for a missing
 * or damaged file, a wrong type, a duplicate id or qid, an answer outside the knowledge base, an empty split.
 */
export async function readDataset(folder: string): Promise<Dataset> {
  const files = await listFolder(folder);
  const entities = await readEntities(folder);
  const rows = new Map(entities.map((entity, row) => [entity.qid, row]));
  await checkQids(join(folder, 'qid2id.json'), entities);

  const imageFolder = join(folder, files.includes('mention_images') ? 'mention_images' : 'mention_image');
  const names = splitFiles(folder, files);
  const [train, dev, test] = await Promise.all(
    [names.train, names.dev, names.test].map((file) => readMentions(join(folder, file), rows, imageFolder)),
  );
  return {
    name: datasetName(names.train, folder),
    entities,
    splits: { train: train!.mentions, dev: dev!.mentions, test: test!.mentions },
    skippedNil: train!.nil + dev!.nil + test!.nil,
  };
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    throw new Error(`${folder}: no such folder`);
  }
}

/** Names that published data sets give their splits' files; the longest prefix is the data set's name. */
const SPLIT_ENDINGS: Record<Split, string[]> = {
  train: ['train.json'],
  dev: ['dev.json', 'valid.json', 'val.json'],
  test: ['test.json'],
};

function splitFiles(folder: string, files: string[]): Record<Split, string> {
  const find = (split: Split): string => {
    const endings = SPLIT_ENDINGS[split];
    const found = files.filter((file) =>
      endings.some((ending) => file === ending || file.endsWith(`_${ending}`)),
    );
    if (found.length === 0) throw new Error(`${join(folder, `*_${endings[0]}`)}: no such file`);
    if (found.length > 1)
      throw new Error(`${folder}: ${found.join(' and ')}: expected one file of split ${split}`);
    return found[0]!;
  };
  return { train: find('train'), dev: find('dev'), test: find('test') };
}

function datasetName(trainFile: string, folder: string): string {
  return trainFile === 'train.json' ? basename(folder) : trainFile.replace(/_train\.json$/, '');
}

async function readEntities(folder: string): Promise<Entity[]> {
  const file = join(folder, 'kb_entity.json');
  const entries = await readArray(file);
  if (entries.length === 0) throw new Error(`${file}: expected at least one entity, found none`);
  const qids = new Map<string, number>();
  let before: Entity | undefined;
  return entries.map((entry, i) => {
    const fields = fieldsOf(file, i, entry);
    const entity: Entity = {
      id: fields.integer('id'),
      qid: fields.text('qid'),
      name: decodeName(fields.text('entity_name')),
      attributes: fields.textOr('attr', ''),
      type: fields.textOr('type', 'entity'),
      images: fields.names('image_list').map((name) => join(folder, 'kb_image', basename(name))),
    };
    if (before !== undefined && entity.id === before.id) fields.fail('id', `${entity.id} occurs twice`);
    if (before !== undefined && entity.id < before.id) {
      fields.fail('id', `expected entries sorted by id, found ${entity.id} after ${before.id}`);
    }
    if (qids.has(entity.qid))
      fields.fail('qid', `${entity.qid} occurs twice, first in entry ${qids.get(entity.qid)}`);
    qids.set(entity.qid, i);
    before = entity;
    return entity;
  });
}

/** Every entity must be where qid2id.json says; other qids there may be. */
async function checkQids(file: string, entities: Entity[]): Promise<void> {
  const ids = parseJson(file, await readText(file));
  if (typeof ids !== 'object' || ids === null || Array.isArray(ids)) {
    throw new Error(`${file}: expected an object of ids by qid, found ${kindOf(ids)}`);
  }
  for (const { qid, id } of entities) {
    const listed = (ids as Record<string, unknown>)[qid];
    if (listed !== id)
      throw new Error(`${file}: ${qid}: expected id ${id} as in kb_entity.json, found ${kindOf(listed)}`);
  }
}

async function readMentions(
  file: string,
  rows: Map<string, number>,
  imageFolder: string,
): Promise<{ mentions: Mention[]; nil: number }> {
  const entries = await readArray(file);
  let nil = 0;
  const mentions = entries.flatMap((entry, i) => {
    const fields = fieldsOf(file, i, entry);
    const answer = fields.text('answer');
    if (answer === 'nil') {
      nil += 1;
      return [];
    }
    const entity = rows.get(answer);
    if (entity === undefined)
      return fields.fail('answer', `expected a qid of kb_entity.json, found ${answer}`);
    const image = imageFile(fields.textOr('imgPath', ''));
    return [
      {
        id: fields.id('id', i),
        word: decodeName(fields.text('mentions')),
        sentence: fields.text('sentence'),
        entity,
        image: image === '' ? null : join(imageFolder, image),
      },
    ];
  });
  if (mentions.length === 0)
    throw new Error(`${file}: expected at least one mention with an answer, found none`);
  return { mentions, nil };
}

/** The published data's rule: the basename up to its first dot, as JPEG; '' stays ''. */
function imageFile(path: string): string {
  const stem = path.slice(path.lastIndexOf('/') + 1).split('.')[0]!;
  return stem === '' ? '' : `${stem}.jpg`;
}

/** 'Caf%C3%A9' -> 'Café'; a name that is not percent-encoded ('100% pure') stays as it is. */
function decodeName(name: string): string {
  if (!name.includes('%')) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

async function readArray(file: string): Promise<unknown[]> {
  const value = parseJson(file, await readText(file));
  if (!Array.isArray(value)) throw new Error(`${file}: expected an array, found ${kindOf(value)}`);
  return value;
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(
      `${file}: not valid JSON (cut off or damaged): ${(error as Error).message.split('\n')[0]}`,
    );
  }
}

type Fields = {
  integer(name: string): number;
  text(name: string): string;
  textOr(name: string, absent: string): string;
  id(name: string, absent: number): string;
  names(name: string): string[];
  fail(name: string, problem: string): never;
};

/** Typed access to one entry of a file; every complaint names file, entry and field. */
function fieldsOf(file: string, index: number, entry: unknown): Fields {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw new Error(`${file}: entry ${index}: expected an object, found ${kindOf(entry)}`);
  }
  const record = entry as Record<string, unknown>;
  const fail = (name: string, problem: string): never => {
    throw new Error(`${file}: entry ${index}: ${name}: ${problem}`);
  };
  const expected = (name: string, what: string): never =>
    fail(name, `expected ${what}, found ${kindOf(record[name])}`);
  const text = (name: string): string => {
    const value = record[name];
    return typeof value === 'string' && value !== '' ? value : expected(name, 'a non-empty string');
  };
  return {
    fail,
    text,
    textOr(name, absent) {
      const value = record[name] ?? absent;
      return typeof value === 'string' ? value : expected(name, 'a string');
    },
    integer(name) {
      const value = record[name];
      return Number.isSafeInteger(value) && (value as number) >= 0
        ? (value as number)
        : expected(name, 'an integer >= 0');
    },
    id(name, absent) {
      const value = record[name] ?? absent;
      return typeof value === 'string' || typeof value === 'number'
        ? String(value)
        : expected(name, 'a string');
    },
    names(name) {
      const value = record[name] ?? [];
      if (typeof value === 'string') return value === '' ? [] : [value];
      const isNames = Array.isArray(value) && value.every((item) => typeof item === 'string');
      return isNames
        ? (value as string[]).filter((item) => item !== '')
        : expected(name, 'a list of file names');
    },
  };
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return JSON.stringify(value);
}
