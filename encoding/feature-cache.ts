// Feature tables on disk, under a name that is the hash of all they depend on: weights, data, preprocessing. Tables that are
// in use are shared. What could not be read is no data: a table's file says which rows stand for such an input, and these
// are tried again, and told of, whenever the table is asked for.

import { WeightsError } from '../files/errors.ts';
import { isThere, locate } from '../files/locate.ts';
import { openSafetensors, type TensorInfo } from '../weights/safetensors.ts';
import { writeSafetensors } from '../weights/write-safetensors.ts';
import {
  type FeatureTable,
  inMemory,
  type MemoryTable,
  type TableToMake,
  type TokenFile,
} from './features.ts';

/** Tokens of larger tables stay in their file, in bytes. */
const mostInMemory = 2 ** 30;
/** Raise it when the form of the files changes: files of another version are made again. */
const version = '1';

/** Tables in memory that somebody still holds, by key. */
const shared = new Map<string, WeakRef<FeatureTable>>();

/**
 * The table that the cache in `folder` has under the key, else what `make` gives, which is then kept there. A file that is
 * damaged, cut off or of another version is made again, and so is one with rows that failed before and no longer do. A
 * table whose tokens take over `most` bytes is never in memory as a whole: they stay in the file. An empty `folder` keeps
 * no files; with a folder of null nothing is kept or shared, and the key, which reads all images, is not asked for.
 */
export async function keptTable(
  folder: string | null,
  keyOf: () => Promise<string> | string,
  make: TableToMake,
  most = mostInMemory,
): Promise<FeatureTable> {
  if (folder === null) return inMemory(make);
  const key = await keyOf();
  const inUse = shared.get(key)?.deref();
  if (inUse) return inUse;
  const { table, failed } = folder === '' ? await made(make) : await fromFolder(folder, key, make, most);
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

async function fromFolder(folder: string, key: string, make: TableToMake, most: number): Promise<Found> {
  const path = locate(folder, `${key}.safetensors`);
  const isLarge = 4 * make.offsets.at(-1)! * make.width > most;
  const found = (await isThere(path)) ? await readTable(path, isLarge) : null;
  if (found && (found.failed.length === 0 || (await make.failures?.remain(found.failed)))) return found;
  const { mkdir } = await import('node:fs/promises');
  await mkdir(folder, { recursive: true });
  if (isLarge) {
    await writeTable(path, make);
    return (await readTable(path, true))!;
  }
  const fresh = await made(make);
  const { tokens, embeds } = fresh.table;
  async function* rows() {
    yield { tokens, embeds };
  }
  await writeTable(path, { ...make, rows });
  return fresh;
}

/** The name of the embeds in a file: after the tokens', since they are known once all tokens are written. */
const embedsName = 'whole_embeds';

/** Writes a table's rows as they are made. */
async function writeTable(
  path: string,
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
    { features: version },
  );
}

/** The table in a file, its tokens left there if it is large; null for a file that is damaged or of another version. */
async function readTable(path: string, isLarge: boolean): Promise<Found | null> {
  try {
    const file = await openSafetensors(path);
    try {
      if (file.metadata['features'] !== version) return null;
      const embeds = await file.readFloats(embedsName);
      const offsets = await file.readIntegers('offsets');
      const flags = (await file.read('failed')) as Uint8Array;
      const [width, projection] = ['tokens', embedsName].map((name) => file.info(name).shape[1] ?? 0);
      const isWhole =
        offsets.at(-1) === file.info('tokens').shape[0] &&
        (offsets.length - 1) * projection! === embeds.length;
      if (!isWhole) return null;
      const tokens = isLarge ? await tokenFile(path, file.info('tokens')) : await file.readFloats('tokens');
      return {
        table: { tokens, embeds, offsets, width: width!, projection: projection! },
        failed: [...flags.keys()].filter((row) => flags[row] === 1),
      };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof WeightsError) return null;
    throw error;
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
