// Builds an entity index in one pass through the entities: a chunk is encoded and its sides are appended to the shard in the
// making; at most a shard is in memory, whatever the size of the knowledge base. The index that is in use stays until the
// new one is whole: shards are named after their build, index.json is replaced at the end, and only then what it no longer
// names goes. Shards that an earlier build of the same inputs finished are kept, so that a build that was killed goes on.

import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../files/atomic-file.ts';
import { UsageError, WeightsError } from '../../files/errors.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { readText } from '../../files/read-text.ts';
import { openSafetensors } from '../../weights/safetensors.ts';
import type { AnyScorer } from '../scorer.ts';
import {
  buildOf,
  type Fingerprints,
  headName,
  type IndexDtype,
  type IndexHead,
  indexVersion,
  isShardOf,
  parseHead,
  type ShardInfo,
  shardName,
} from './format.ts';
import { checkShard } from './shard-files.ts';
import { type EntityChunk, writeShard } from './shard-writer.ts';

export interface BuildOptions<Entity> {
  scorer: AnyScorer;
  /** The entities, from the first on; asked for once a build. */
  entities(): AsyncIterable<Entity> | Iterable<Entity>;
  /** How many there are, for `onProgress`; null where nobody knows yet. */
  count: number | null;
  /** Makes samples of some entities, with images numbered among their own. */
  encode(entities: readonly Entity[]): EntityChunk;
  /** Where the index is, or is to be. */
  folder: string;
  dtype: IndexDtype;
  /** Entities a shard. */
  shard: number;
  /** Hashes of all that the index is made from: an index of other ones is no index of this. */
  fingerprints: Fingerprints;
  onProgress?: ((progress: { done: number; total: number | null }) => void) | undefined;
}

/** Entities that are encoded together. */
const chunkSize = 256;
/** Says which builds have left shards that index.json does not name: the one being made, and such as were killed. */
const buildsName = 'index.builds.json';

/**
 * Builds an index and gives its head, and how many shards were there already. Foreign files in the folder stay as they are.
 * Throws UsageError for no entities and for vectors that the dtype does not hold, WeightsError where files cannot be written.
 */
export async function buildIndex<Entity>(
  options: BuildOptions<Entity>,
): Promise<{ head: IndexHead; kept: number }> {
  const { scorer, folder, dtype, shard: size, fingerprints } = options;
  const { layout, name } = scorer;
  const identity = JSON.stringify([indexVersion, name, layout, dtype, size, fingerprints]);
  const build = hashOf([identity]).slice(0, 12);
  await mkdir(folder, { recursive: true });
  const before = await buildsBefore(folder);
  await writeJson(join(folder, buildsName), {
    version: indexVersion,
    builds: [...new Set([...before, build])],
  });

  const shards: ShardInfo[] = [];
  let [kept, bytes, done] = [0, 0, 0];
  for await (const entities of partsOf(options.entities(), size)) {
    const shard = { file: shardName(build, shards.length), first: done, count: entities.length };
    const path = join(folder, shard.file);
    const found = await finishedBytes(path, { layout, dtype }, shard);
    if (found !== null) {
      kept++;
      bytes += found;
    } else {
      const chunks = chunksOf(entities, options.encode);
      bytes += await writeShard(scorer, chunks, dtype, path, shard, (part) =>
        options.onProgress?.({ done: shard.first + part, total: options.count }),
      );
    }
    shards.push(shard);
    done += entities.length;
    options.onProgress?.({ done, total: options.count });
  }
  if (done === 0) throw new UsageError(`${folder}: no entities to build an index of`);
  const head: IndexHead = {
    version: indexVersion,
    scorer: name,
    layout,
    dtype,
    fingerprints,
    entities: done,
    shard: size,
    bytes,
    bytesPerEntity: Math.round(bytes / done),
    shards,
  };
  await writeJson(join(folder, headName), head);
  await removeOthers(folder, [...before, build], shards);
  return { head, kept };
}

/** The entities in parts of `size`, the last of what is left. */
async function* partsOf<Entity>(
  entities: AsyncIterable<Entity> | Iterable<Entity>,
  size: number,
): AsyncGenerator<Entity[]> {
  let part: Entity[] = [];
  for await (const entity of entities) {
    part.push(entity);
    if (part.length < size) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

function* chunksOf<Entity>(
  entities: readonly Entity[],
  encode: (entities: readonly Entity[]) => EntityChunk,
): Generator<EntityChunk> {
  for (let first = 0; first < entities.length; first += chunkSize) {
    yield encode(entities.slice(first, first + chunkSize));
  }
}

/** Bytes of a shard's tensors if the file is whole and the one that is meant, else null. */
async function finishedBytes(
  path: string,
  head: Pick<IndexHead, 'layout' | 'dtype'>,
  shard: ShardInfo,
): Promise<number | null> {
  if (!(await isRegularFile(path))) return null;
  try {
    const file = await openSafetensors(path);
    try {
      checkShard(path, file, head, shard);
      return file.names.reduce((sum, name) => sum + file.info(name).bytes, 0);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof WeightsError) return null;
    throw error;
  }
}

/** The builds that may have left shards in the folder: that of the index in use, and such as were killed. */
async function buildsBefore(folder: string): Promise<string[]> {
  const read = async (name: string) => {
    const path = join(folder, name);
    return (await isRegularFile(path)) ? readText(path) : null;
  };
  try {
    const head = await read(headName);
    const builds = await read(buildsName);
    const used = head === null ? null : buildOf(parseHead(headName, head).shards[0]!.file);
    const killed = builds === null ? [] : (JSON.parse(builds) as { builds: string[] }).builds;
    return [used, ...killed].filter((build) => build !== null && /^[0-9a-f]{12}$/.test(build)) as string[];
  } catch {
    // Not ours, damaged or of another version: what such a file names is not ours to delete.
    return [];
  }
}

/** Deletes what builds of ours left and index.json does not name: regular files only, and no others. */
async function removeOthers(
  folder: string,
  builds: readonly string[],
  shards: readonly ShardInfo[],
): Promise<void> {
  const current = new Set(shards.map(({ file }) => file));
  for (const name of await readdir(folder)) {
    const isOurs = builds.some((build) => isShardOf(build, name)) && !current.has(name);
    const path = join(folder, name);
    if (isOurs && (await isRegularFile(path))) await rm(path);
  }
  await rm(join(folder, buildsName));
}

async function isRegularFile(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isFile() ?? false;
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomically(path, (append) =>
    append(new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)),
  );
}
