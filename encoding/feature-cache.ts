// Feature tables on disk, under a name that is the hash of all they depend on: weights, data, preprocessing.

import { existsSync, openSync, readSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeightsError } from '../files/errors.ts';
import { openSafetensors, type Safetensors, type TensorInfo } from '../weights/safetensors.ts';
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

/**
 * The table that the cache in `folder` has under `key`, else what `make` gives, which is then kept there. A file that is
 * damaged or cut off is made again. A table whose tokens take over `most` bytes is never in memory as a whole: they stay
 * in the file. Neither an empty `folder` nor a key of null keeps anything.
 */
export async function keptTable(
  folder: string,
  key: string | null,
  make: TableToMake,
  most = mostInMemory,
): Promise<FeatureTable> {
  if (folder === '' || key === null) return inMemory(make);
  const path = join(folder, `${key}.safetensors`);
  if (4 * make.offsets.at(-1)! * make.width <= most) return cachedTable(folder, key, () => inMemory(make));
  const found = existsSync(path) ? await openTable(path) : null;
  if (found) return found;
  await mkdir(folder, { recursive: true });
  await streamTable(path, make);
  return (await openTable(path))!;
}

/** The same for a table in memory. */
export async function cachedTable(
  folder: string,
  key: string,
  build: () => Promise<MemoryTable>,
): Promise<MemoryTable> {
  if (folder === '') return build();
  const path = join(folder, `${key}.safetensors`);
  const found = existsSync(path) ? await readTable(path) : null;
  if (found) return found;
  const table = await build();
  await mkdir(folder, { recursive: true });
  const { tokens, embeds, offsets, width, projection } = table;
  await writeSafetensors(path, {
    tokens: { dtype: 'F32', shape: [tokens.length / width, width], data: tokens },
    [embedsName]: { dtype: 'F32', shape: [embeds.length / projection, projection], data: embeds },
    offsets: { dtype: 'I32', shape: [offsets.length], data: offsets },
  });
  return table;
}

/** The name of the embeds in a file: after the tokens', since they are known once all tokens are written. */
const embedsName = 'whole_embeds';

/** Writes a table's rows as they are made. */
async function streamTable(path: string, { offsets, width, projection, rows }: TableToMake): Promise<void> {
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
  await writeSafetensors(path, {
    offsets: { dtype: 'I32', shape: [n + 1], data: offsets },
    tokens: { dtype: 'F32', shape: [offsets.at(-1)!, width], data: tokenParts },
    [embedsName]: { dtype: 'F32', shape: [n, projection], data: async () => embeds },
  });
}

async function readTable(path: string): Promise<MemoryTable | null> {
  return withTable(path, async (file, rest) => ({ ...rest, tokens: await file.readFloats('tokens') }));
}

/** The table with its tokens left in the file, which stays open. */
async function openTable(path: string): Promise<FeatureTable | null> {
  return withTable(path, async (file, rest) => ({ ...rest, tokens: tokenFile(path, file.info('tokens')) }));
}

/** What `use` makes of a table's file and all but its tokens; null for a file that is damaged. */
async function withTable<T>(
  path: string,
  use: (file: Safetensors, rest: Omit<FeatureTable, 'tokens'>) => Promise<T>,
): Promise<T | null> {
  try {
    const file = await openSafetensors(path);
    try {
      const embeds = await file.readFloats(embedsName);
      const offsets = await file.readIntegers('offsets');
      const [width, projection] = ['tokens', embedsName].map((name) => file.info(name).shape[1] ?? 0);
      const isWhole =
        offsets.at(-1) === file.info('tokens').shape[0] &&
        (offsets.length - 1) * projection! === embeds.length;
      return isWhole ? await use(file, { embeds, offsets, width: width!, projection: projection! }) : null;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof WeightsError) return null;
    throw error;
  }
}

/** Numbers of a tensor, read where they lie. Reading is synchronous: batches are made inside a device's scope. */
function tokenFile(path: string, { offset }: TensorInfo): TokenFile {
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
