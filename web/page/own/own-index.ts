// Knowledge bases of the visitor's own: encoded by the page's worker, and kept as indexes in the browser's own storage, a folder
// each. Beside the files of the index lie thumbnails, which only the page reads.

import { Zip, ZipDeflate, ZipPassThrough } from 'fflate';
import { readEntityLines } from '../../../data/entity-lines.ts';
import type { Entity } from '../../../data/entity-mention.ts';
import { writeFileAtomically, writeTextAtomically } from '../../../files/atomic-file.ts';
import {
  chooseFiles,
  namesInBrowser,
  openInBrowser,
  removeInBrowser,
} from '../../../files/browser/browser-files.ts';
import { parseJsonObject, readSmallText } from '../../../files/locate.ts';
import { buildEntityIndex, type IndexMaker } from '../../../link/entity-index.ts';
import { headName, type IndexHead } from '../../../ranking/index/format.ts';
import { hasIndex, readHead } from '../../../ranking/index/source.ts';
import type { Pictures } from '../site.ts';
import { makeThumbnails } from './own-thumbnails.ts';

/** One that is kept. */
export interface OwnBase {
  name: string;
  /** 0 for one that was not encoded to its end. */
  entities: number;
  bytes: number;
  /** Whether it was encoded by the model that the page has now. */
  fits: boolean;
  pictures: Pictures;
}

/** What a visitor chose for one. */
export interface ChosenBase {
  name: string;
  /** Of one entity a line, in JSON. */
  lines: Blob;
  /** By the paths that the lines may have. */
  pictures: ReadonlyMap<string, Blob>;
}

/** Entities that are encoded together: few, so that the bar moves and the button to stop is heard. */
const together = 16;
const entitiesInShard = 4096;
const thumbnailsName = { bytes: 'thumbnails.bin', places: 'thumbnails.json' } as const;
const mostTextBytes = 2 ** 28;

/** The folder of a site's: there may be several at one host. */
export function ownFolder(site: string, name = ''): string {
  return ['knowledge-bases', encodeURIComponent(new URL(site).pathname), name]
    .filter((part) => part !== '')
    .join('/');
}

/** Those that are kept for a site; `head` is that of the site's own index. */
export async function listOwnBases(site: string, head: IndexHead): Promise<OwnBase[]> {
  const { folders } = await namesInBrowser(ownFolder(site));
  const halfMade = { entities: 0, bytes: 0, fits: false, pictures: { source: new Blob(), places: {} } };
  return Promise.all(
    folders.sort().map((name) => openOwnBase(site, name, head).catch(() => ({ name, ...halfMade }))),
  );
}

async function openOwnBase(site: string, name: string, ofSite: IndexHead): Promise<OwnBase> {
  const folder = ownFolder(site, name);
  const { entities, bytes, fingerprints, scorer } = await readHead(folder);
  const places = `${folder}/${thumbnailsName.places}`;
  const fits =
    scorer === ofSite.scorer &&
    ['model', 'tokenizer'].every((of) => fingerprints[of] === ofSite.fingerprints[of]);
  return {
    name,
    entities,
    bytes,
    fits,
    pictures: {
      source: await blobOf(`${folder}/${thumbnailsName.bytes}`),
      places: parseJsonObject(places, await readSmallText(places, mostTextBytes)) as Pictures['places'],
    },
  };
}

interface EncodeOptions {
  signal: AbortSignal;
  onProgress(done: number, total: number): void;
}

/**
 * Encodes a knowledge base and keeps it, in place of one of that name; gives what could not be read of it, in lines. Of a page
 * that is closed meanwhile stays what was encoded, and the next try takes it up; of one that fails or is stopped nothing, and
 * what was there before stays. Throws InputError with the number of the first line that is wrong, before anything is encoded.
 */
export async function encodeOwnBase(
  maker: IndexMaker,
  site: string,
  { name, lines, pictures }: ChosenBase,
  { signal, onProgress }: EncodeOptions,
): Promise<string[]> {
  const file = `${name}.jsonl`;
  const folder = ownFolder(site, name);
  const problems: string[] = [];
  chooseFiles(new Map([...pictures, [file, lines]]));
  try {
    const entities = () => readEntityLines(file, plainPath);
    let count = 0;
    for await (const _ of entities()) {
      signal.throwIfAborted();
      count++;
    }
    onProgress(0, count);
    await buildEntityIndex(maker, { entities, count }, folder, {
      dtype: 'int8',
      shard: entitiesInShard,
      together,
      onProgress({ done }) {
        signal.throwIfAborted();
        onProgress(done, count);
      },
      onWarning: (line) => problems.push(line),
    });
    await keepThumbnails(folder, entities());
  } catch (error) {
    if (!(await hasIndex(folder))) await removeInBrowser(folder);
    throw error;
  } finally {
    chooseFiles(new Map());
  }
  return problems;
}

export function removeOwnBase(site: string, name: string): Promise<void> {
  return removeInBrowser(ownFolder(site, name));
}

/** The files of the index in a zip, in a folder of its name: what the command opens once it is unpacked. */
export async function exportOwnBase(site: string, name: string): Promise<Blob> {
  const folder = ownFolder(site, name);
  const { shards, records } = await readHead(folder);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const zip = new Zip((error, part) => {
    if (error) throw error;
    parts.push(part.slice());
  });
  for (const file of [headName, records!, ...shards.map((shard) => shard.file)]) {
    // Vectors pack badly, and are most of it.
    const isVectors = shards.some((shard) => shard.file === file);
    const entry = isVectors ? new ZipPassThrough(`${name}/${file}`) : new ZipDeflate(`${name}/${file}`);
    zip.add(entry);
    const source = await openInBrowser(`${folder}/${file}`);
    for (let at = 0; at < source.size; at += zippedAtOnce) {
      const length = Math.min(zippedAtOnce, source.size - at);
      entry.push(await source.read(at, length), at + length === source.size);
    }
  }
  zip.end();
  return new Blob(parts, { type: 'application/zip' });
}

const zippedAtOnce = 2 ** 20;

async function keepThumbnails(folder: string, entities: AsyncIterable<Entity>): Promise<void> {
  const { bytes, places } = await makeThumbnails(entities);
  // A file without bytes is none.
  await writeFileAtomically(`${folder}/${thumbnailsName.bytes}`, (append) =>
    append(bytes.length > 0 ? bytes : Uint8Array.of(0)),
  );
  await writeTextAtomically(`${folder}/${thumbnailsName.places}`, JSON.stringify(places));
}

async function blobOf(path: string): Promise<Blob> {
  const source = await openInBrowser(path);
  return new Blob([await source.read(0, source.size)]);
}

/** A path as the visitor's files are known by. */
function plainPath(path: string): string {
  return path
    .split(/[/\\]/)
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}
