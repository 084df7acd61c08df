// Feature tables on disk, under a name that is the hash of all they depend on: weights, data, preprocessing; the file says the
// same. All of it is held against its checksums when it is opened. Tables that are in use are shared. What could not be read is no data: a table's file says which rows stand for such an input, and these
// are tried again, and told of, whenever the table is asked for.

import { removeLeftOvers } from '../files/atomic-file.ts';
import { WeightsError } from '../files/errors.ts';
import { isThere, locate } from '../files/locate.ts';
import { openSafetensors, type TensorInfo } from '../weights/safetensors.ts';
import { writeSafetensors } from '../weights/write-safetensors.ts';
import {
  type FeatureOptions,
  type FeatureTable,
  inMemory,
  type MemoryTable,
  type TableToMake,
  type TokenFile,
} from './features.ts';

/** Tokens of larger tables stay in their file, in bytes. */
const mostInMemory = 2 ** 30;
/** Raise it when the form of the files changes: files of another version are made again. */
const version = '2';

/** Tables in memory that somebody still holds, by key. */
const shared = new Map<string, WeakRef<FeatureTable>>();

/** Where tables are kept, and who is told of damage; see `FeatureOptions`. */
type Cache = Pick<FeatureOptions, 'cache' | 'onWarning'>;

/**
 * The table that the cache has under the key, else what `make` gives, which is then kept there. A file that is damaged or cut
 * off is told of and made again; and so, without a word, is one of another version and one with rows that failed before and
 * no longer do. A table whose tokens take over `most` bytes is never in memory as a whole: they stay in the file. A cache of
 * '' keeps no files; with one of null nothing is kept or shared, and the key, which reads all images, is not asked for.
 */
export async function keptTable(
  { cache, onWarning }: Cache,
  keyOf: () => Promise<string> | string,
  make: TableToMake,
  most = mostInMemory,
): Promise<FeatureTable> {
  if (cache === null) return inMemory(make);
  const key = await keyOf();
  const inUse = shared.get(key)?.deref();
  if (inUse) return inUse;
  const { table, failed } =
    cache === '' ? await made(make) : await fromFolder(cache, keyOf, key, make, most, onWarning);
  // What failed may be read the next time; a table in its file costs nothing to open again.
  if (failed.length === 0 && table.tokens instanceof Float32Array) shared.set(key, new WeakRef(table));
  return table;
}

interface Found<Table extends FeatureTable = FeatureTable> {
  table: Table;
  /** Rows whose input could not be read. */
  failed: readonly number[];
}

async function made(make: TableToMake): Promise<Found<MemoryTable>> {
  return { table: await inMemory(make), failed: make.failures?.rows() ?? [] };
}

async function fromFolder(
  folder: string,
  keyOf: () => Promise<string> | string,
  key: string,
  make: TableToMake,
  most: number,
  onWarning: Cache['onWarning'],
): Promise<Found> {
  const path = locate(folder, `${key}.safetensors`);
  const isLarge = 4 * make.offsets.at(-1)! * make.width > most;
  const found = (await isThere(path)) ? await readTable(path, key, make, isLarge, onWarning) : null;
  if (found && (found.failed.length === 0 || (await make.failures?.remain(found.failed)))) return found;
  const { mkdir } = await import('node:fs/promises');
  await mkdir(folder, { recursive: true });
  await removeLeftOvers(folder, (name) => /^[0-9a-f]{32}\.safetensors$/.test(name));
  if (isLarge) {
    await writeTable(path, key, make);
    return (await readTable(path, key, make, true, onWarning))!;
  }
  const fresh = await made(make);
  // An input that changed while it was read must not stand under the key of what it was before.
  if ((await keyOf()) !== key) return fresh;
  const { tokens, embeds } = fresh.table;
  async function* rows() {
    yield { tokens, embeds };
  }
  await writeTable(path, key, { ...make, rows });
  return fresh;
}

/** The name of the embeds in a file: after the tokens', since they are known once all tokens are written. */
const embedsName = 'whole_embeds';

/** Writes a table's rows as they are made. */
async function writeTable(
  path: string,
  key: string,
  { offsets, width, projection, rows, failures }: TableToMake,
): Promise<void> {
  const n = offsets.length - 1;
  const embeds = new Float32Array(n * projection);
  async function* tokenParts() {
    let done = 0;
    for await (const part of rows()) {
      embeds.set(part.embeds, done);
      done += part.embeds.length;
      yield part.tokens;
    }
  }
  const failed = async () => {
    const flags = new Uint8Array(n);
    for (const row of failures?.rows() ?? []) flags[row] = 1;
    return flags;
  };
  await writeSafetensors(
    path,
    {
      offsets: { dtype: 'I32', shape: [n + 1], data: offsets },
      tokens: { dtype: 'F32', shape: [offsets.at(-1)!, width], data: tokenParts },
      [embedsName]: { dtype: 'F32', shape: [n, projection], data: async () => embeds },
      failed: { dtype: 'U8', shape: [n], data: failed },
    },
    { features: version, key },
  );
}

/**
 * The table in a file, its tokens left there if it is large; null for a file that is damaged, which is told of, or of another
 * version.
 */
async function readTable(
  path: string,
  key: string,
  { offsets: expected, width, projection }: TableToMake,
  isLarge: boolean,
  onWarning: Cache['onWarning'],
): Promise<Found | null> {
  try {
    const file = await openSafetensors(path);
    try {
      if (file.metadata['features'] !== version) return null;
      const embeds = await file.readFloats(embedsName);
      const offsets = await file.readIntegers('offsets');
      const flags = (await file.read('failed')) as Uint8Array;
      const isMeant =
        file.metadata['key'] === key &&
        `${file.info('tokens').shape}` === `${[expected.at(-1), width]}` &&
        embeds.length === (expected.length - 1) * projection &&
        offsets.length === expected.length &&
        offsets.every((offset, i) => offset === expected[i]);
      if (!isMeant) throw new WeightsError(`${path}: is not the table that its name says`);
      // What stays in the file is not checked again whenever a row of it is read.
      if (isLarge) await file.verify('tokens');
      const tokens = isLarge ? await tokenFile(path, file.info('tokens')) : await file.readFloats('tokens');
      return {
        table: { tokens, embeds, offsets, width, projection },
        failed: [...flags.keys()].filter((row) => flags[row] === 1),
      };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    onWarning?.(`${error.message}; it is made again`);
    return null;
  }
}

/** Numbers of a tensor, read where they lie. Reading is synchronous: batches are made inside a device's scope. */
async function tokenFile(path: string, { offset }: TensorInfo): Promise<TokenFile> {
  const { openSync, readSync } = await import('node:fs');
  const file = openSync(path, 'r');
  const length = new BigUint64Array(1);
  readSync(file, length, 0, 8, 0);
  const start = 8 + Number(length[0]!) + offset;
  return {
    read(first, into) {
      const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
      for (let done = 0; done < bytes.length; ) {
        const count = readSync(file, bytes, done, bytes.length - done, start + 4 * first + done);
        if (count === 0) throw new WeightsError(`${path}: ended while being read`);
        done += count;
      }
    },
  };
}
