// A knowledge base alone: a file of one entity a line (JSON), or a folder in the layout of MIMIC's users. Entities of a
// JSON-lines file are streamed and never held; of what was read only the ids stay, so that one that stands twice is found.

import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import { contentStamp } from '../files/content-stamp.ts';
import { fileError, InputError } from '../files/errors.ts';
import { readJsonLines } from '../files/json/json-lines.ts';
import { parseBySchema } from '../files/json/schema.ts';
import { readDataset } from './dataset.ts';
import type { Entity } from './entity-mention.ts';

export interface KnowledgeBaseSource {
  /** A JSON-lines file, or a folder with kb_entity.json. */
  kb: string;
  /** Folder that the image paths of a JSON-lines file are relative to. Default: the file's folder. */
  images?: string;
}

export interface KnowledgeBase {
  name: string;
  /** How many entities there are, where that is known without reading them all. */
  count: number | null;
  /** SHA-256 of the files that the entities are read from; the images are not in it. */
  fingerprint: string;
  /** The entities in the order of their rows. Throws InputError at the first that is wrong. */
  entities(): AsyncIterable<Entity>;
}

const text = v.string('a string');
const filledText = v.pipe(text, v.nonEmpty('a non-empty string'));
/** More of an entity than anyone writes; its name table has an entry for each letter of each of its names. */
const most = { letters: 10_000, names: 10_000, images: 10_000 };
const shortText = v.pipe(
  filledText,
  v.maxLength(most.letters, `a string of at most ${most.letters} letters`),
);
/** One line of a knowledge base. Other fields are passed over. */
const lineSchema = v.object(
  {
    id: v.union(
      [shortText, v.pipe(v.number(), v.safeInteger('an integer of at most 2^53'))],
      'a non-empty string or an integer',
    ),
    name: shortText,
    aliases: v.nullish(
      v.pipe(
        v.array(
          v.pipe(text, v.maxLength(most.letters, `a string of at most ${most.letters} letters`)),
          'a list of strings',
        ),
        v.maxLength(most.names, `at most ${most.names} of them`),
      ),
      [],
    ),
    description: v.nullish(text, ''),
    attributes: v.nullish(
      v.union([text, v.record(v.string(), text, 'an object of strings')], 'a string or an object of strings'),
      '',
    ),
    images: v.nullish(
      v.pipe(
        v.array(filledText, 'a list of paths'),
        v.maxLength(most.images, `at most ${most.images} of them`),
      ),
      [],
    ),
  },
  'an object',
);

/**
 * Opens a knowledge base. Throws InputError where there is none; what is wrong with single entities shows when they are
 * read.
 */
export async function openKnowledgeBase({ kb, images }: KnowledgeBaseSource): Promise<KnowledgeBase> {
  const found = await stat(kb).catch((error) => {
    throw fileError(kb, error);
  });
  if (!found.isDirectory()) return openLines(kb, images ?? dirname(kb));
  if (images !== undefined) {
    throw new InputError(`${images}: a folder of images goes with a JSON-lines file; ${kb} has its own`);
  }
  const fingerprint = await contentStamp(join(kb, 'kb_entity.json'));
  // Read once and whole, as a JSON array is.
  const { name, entities } = await readDataset(kb);
  return {
    name,
    count: entities.length,
    fingerprint,
    async *entities() {
      yield* entities;
    },
  };
}

async function openLines(file: string, imageFolder: string): Promise<KnowledgeBase> {
  // What is no such file is not read to its end first, which it may not have in days.
  for await (const _ of readEntityLines(file, imageFolder)) break;
  const fingerprint = await contentStamp(file);
  return {
    name: basename(resolve(file)).replace(/\.[^.]*$/, ''),
    count: null,
    fingerprint,
    async *entities() {
      yield* readEntityLines(file, imageFolder);
      if ((await contentStamp(file)) !== fingerprint) {
        throw new InputError(`${file}: changed while it was being read`);
      }
    },
  };
}

/**
 * The entities of a JSON-lines file in turn: `id` and `name`, and where a line has them `aliases`, `description`,
 * `attributes` (a text, or texts by name, which become `NAME: TEXT. NAME: TEXT`) and `images`, paths under `imageFolder`.
 * Throws InputError, `FILE: line 17: name: expected ...`.
 */
async function* readEntityLines(file: string, imageFolder: string): AsyncGenerator<Entity> {
  const seen = new Set<string>();
  for await (const { number, value } of readJsonLines(file)) {
    const where = `${file}: line ${number}`;
    const { id, name, aliases, description, attributes, images } = parseBySchema(where, lineSchema, value);
    const qid = `${id}`;
    if (seen.has(qid)) throw new InputError(`${where}: id: ${qid} occurs twice`);
    yield {
      id: seen.size,
      qid,
      name,
      aliases,
      attributes: attributesOf({ description, attributes }),
      images: images.map((path, i) => imagePath(where, i, path, imageFolder)),
    };
    seen.add(qid);
  }
  if (seen.size === 0) throw new InputError({ file, expected: 'at least one entity', found: 'none' });
}

/** What is said of an entity as one text: its description, and its attributes, of which several have names. */
export function attributesOf({
  description,
  attributes,
}: {
  description: string;
  attributes: string | Record<string, string>;
}): string {
  const named =
    typeof attributes === 'string'
      ? attributes
      : Object.entries(attributes)
          .map(([name, value]) => `${name}: ${value}`)
          .join('. ');
  return [description, named].filter((part) => part !== '').join(' ');
}

/** A file under the images' folder; a path that leads out of it is refused, since knowledge bases come from elsewhere. */
function imagePath(where: string, i: number, path: string, folder: string): string {
  const isOutside = /^(?:[/\\]|[a-z]:)/i.test(path) || path.split(/[/\\]/).includes('..');
  if (isOutside || path.includes('\0')) {
    throw new InputError({
      file: where,
      field: `images[${i}]`,
      expected: 'a path under the folder of images',
      found: JSON.stringify(path),
    });
  }
  return join(folder, path);
}
