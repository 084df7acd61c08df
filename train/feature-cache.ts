// Feature tables on disk, under a name that is the hash of all they depend on: weights, data, preprocessing.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeightsError } from '../weights/errors.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import { writeSafetensors } from '../weights/write-safetensors.ts';
import type { FeatureTable } from './features.ts';

/** Raise it when the same inputs give other features: when encoders or preprocessing change. */
const version = 1;

/** The hash of strings and arrays, each with its length, so that no two lists look the same. */
export function hashOf(parts: readonly (string | ArrayBufferView)[]): string {
  const hash = createHash('sha256').update(`${version}`);
  for (const part of parts) {
    const bytes =
      typeof part === 'string'
        ? new TextEncoder().encode(part)
        : new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    hash.update(`${bytes.length} `).update(bytes);
  }
  return hash.digest('hex').slice(0, 32);
}

/**
 * The table that the cache in `folder` has under `key`, else what `build` makes, which is then kept there. A file that is
 * damaged or cut off is made again. An empty `folder` keeps nothing.
 */
export async function cachedTable(
  folder: string,
  key: string,
  build: () => Promise<FeatureTable>,
): Promise<FeatureTable> {
  if (folder === '') return build();
  const path = join(folder, `${key}.safetensors`);
  const found = existsSync(path) ? await readTable(path) : null;
  if (found) return found;
  const table = await build();
  await mkdir(folder, { recursive: true });
  const { tokens, embeds, first, width, projection } = table;
  await writeSafetensors(path, {
    tokens: { dtype: 'F32', shape: [tokens.length / width, width], data: tokens },
    embeds: { dtype: 'F32', shape: [embeds.length / projection, projection], data: embeds },
    first: { dtype: 'I32', shape: [first.length], data: first },
  });
  return table;
}

async function readTable(path: string): Promise<FeatureTable | null> {
  try {
    const file = await openSafetensors(path);
    try {
      const [tokens, embeds] = [await file.readFloats('tokens'), await file.readFloats('embeds')];
      const first = await file.readIntegers('first');
      const [width, projection] = ['tokens', 'embeds'].map((name) => file.info(name).shape[1] ?? 0);
      const isWhole =
        first.at(-1)! * width! === tokens.length && (first.length - 1) * projection! === embeds.length;
      return isWhole ? { tokens, embeds, first, width: width!, projection: projection! } : null;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof WeightsError) return null;
    throw error;
  }
}
