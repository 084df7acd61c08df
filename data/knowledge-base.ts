// A knowledge base alone: a file of one entity a line (JSON), or a folder in the layout of MIMIC's users. Entities of a
// JSON-lines file are streamed and never held.

import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { contentStamp } from '../files/content-stamp.ts';
import { fileError, InputError } from '../files/errors.ts';
import { readDataset } from './dataset.ts';
import { readEntityLines } from './entity-lines.ts';
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
  const imageAt = (path: string) => join(imageFolder, path);
  // What is no such file is not read to its end first, which it may not have in days.
  for await (const _ of readEntityLines(file, imageAt)) break;
  const fingerprint = await contentStamp(file);
  return {
    name: basename(resolve(file)).replace(/\.[^.]*$/, ''),
    count: null,
    fingerprint,
    async *entities() {
      yield* readEntityLines(file, imageAt);
      if ((await contentStamp(file)) !== fingerprint) {
        throw new InputError(`${file}: changed while it was being read`);
      }
    },
  };
}
