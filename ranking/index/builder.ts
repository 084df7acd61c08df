// Builds an entity index in one pass through the entities: a chunk is encoded and its sides are appended to the shard in the
// making; at most a shard is in memory, whatever the size of the knowledge base. A shard is named after all that it is made
// from, so that one that is there already is kept: a build that was killed goes on, and after a change of some entities only
// their shards are made again. The index in use stays until the new one is whole: index.json is replaced at the end, and
// only then what it no longer names goes.

import { writeTextAtomically } from '../../files/atomic-file.ts';
import { UsageError, WeightsError } from '../../files/errors.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { lockFolder } from '../../files/folder-lock.ts';
import { checkedJson, parseCheckedJson } from '../../files/json/checked-json.ts';
import { locate } from '../../files/locate.ts';
import { readText } from '../../files/read-text.ts';
import { openSafetensors } from '../../weights/safetensors.ts';
import type { AnyScorer } from '../scorer.ts';
import {
  entitiesName,
  type Fingerprints,
  headName,
  type IndexDtype,
  type IndexHead,
  indexVersion,
  isFileOfIndex,
  parseHead,
  recordsName,
  type ShardInfo,
  shardName,
} from './format.ts';
import { checkShard } from './shard-files.ts';
import { type EntityChunk, problemsOf, writeShard } from './shard-writer.ts';

export interface BuildOptions<Entity> {
  scorer: AnyScorer;
  /** The entities, from the first on. */
  entities(): AsyncIterable<Entity> | Iterable<Entity>;
  /** How many there are, for `onProgress`; null where nobody knows yet. */
  count: number | null;
  /** A hash of all that an index keeps of some entities, the contents of their images included. */
  stamp(entities: readonly Entity[]): Promise<string>;
  /** Makes samples of some entities, with images numbered among their own. */
  encode(entities: readonly Entity[]): EntityChunk;
  /** Writes what else is kept of all entities to a file of the index. */
  writeRecords?: (path: string) => Promise<unknown>;
  /** Where the index is, or is to be. */
  folder: string;
  dtype: IndexDtype;
  /** Entities a shard. */
  shard: number;
  /** Hashes of what else the index is made from, the scorer's weights above all. */
  fingerprints: Fingerprints;
  /** See `IndexHead`. Default: nothing. */
  origin?: IndexHead['origin'];
  onProgress?: ((progress: { done: number; total: number | null }) => void) | undefined;
  /** Told what could not be read, once at the end, in lines. */
  onWarning?: ((line: string) => void) | undefined;
}

/** Entities that are encoded, and stamped, together. */
const chunkSize = 256;
/** Names files that may lie in the folder without being named by index.json: of builds under way, or killed. */
const filesName = 'index.files.json';

/**
 * Builds an index and gives its head, and how many shards were there already. Foreign files in the folder stay as they are.
 * Throws UsageError for no entities and for vectors that the dtype does not hold, InputError where files cannot be written
 * or another process is writing there.
 */
export async function buildIndex<Entity>(
  options: BuildOptions<Entity>,
): Promise<{ head: IndexHead; kept: number }> {
  const { access, rmdir } = await import('node:fs/promises');
  const isNew = await access(options.folder).then(
    () => false,
    () => true,
  );
  const lock = await lockFolder(options.folder);
  let isBuilt = false;
  try {
    const built = await build(options);
    isBuilt = true;
    return built;
  } finally {
    await lock.release();
    // A folder that nothing was written to goes again.
    if (isNew && !isBuilt) await rmdir(options.folder).catch(() => {});
  }
}

async function build<Entity>(options: BuildOptions<Entity>): Promise<{ head: IndexHead; kept: number }> {
  const { scorer, folder, dtype, shard: size, fingerprints } = options;
  const { layout, name } = scorer;
  const identity = JSON.stringify([indexVersion, name, layout, dtype, fingerprints]);
  const files = new Files(folder);
  await files.open();

  const shards: ShardInfo[] = [];
  const stamps: string[] = [];
  const problems = new Set<string>();
  let [kept, bytes, done] = [0, 0, 0];
  for await (const entities of partsOf(options.entities(), size)) {
    const chunks = chunksOf(entities);
    const own: string[] = [];
    for (const chunk of chunks) own.push(await options.stamp(chunk));
    stamps.push(...own);
    const shard = {
      file: shardName(hashOf([identity, `${done}`, ...own]), shards.length),
      first: done,
      count: entities.length,
    };
    const path = locate(folder, shard.file);
    const found = await finishedShard(path, { layout, dtype }, shard);
    const told = new Set<string>(found?.problems);
    if (found === null) {
      await files.announce(shard.file);
      const encoded = encodedChunks(chunks, options.encode, told);
      bytes += await writeShard(scorer, encoded, dtype, path, shard, told, (part) =>
        options.onProgress?.({ done: shard.first + part, total: options.count }),
      );
    } else {
      kept++;
      bytes += found.bytes;
    }
    for (const line of told) problems.add(line);
    shards.push(shard);
    done += entities.length;
    options.onProgress?.({ done, total: options.count });
  }
  if (done === 0) throw new UsageError(`${folder}: no entities to build an index of`);
  const knowledgeBase = hashOf(stamps);
  const records = options.writeRecords ? recordsName(knowledgeBase) : null;
  if (records !== null) {
    await files.announce(records);
    await options.writeRecords!(locate(folder, records));
  }
  const head: IndexHead = {
    version: indexVersion,
    scorer: name,
    layout,
    dtype,
    fingerprints: { ...fingerprints, [entitiesName]: knowledgeBase },
    origin: options.origin ?? {},
    entities: done,
    shard: size,
    bytes,
    bytesPerEntity: Math.round(bytes / done),
    shards,
    records,
  };
  await writeTextAtomically(locate(folder, headName), checkedJson(head, 2));
  await files.removeOthers([...shards.map(({ file }) => file), ...(records === null ? [] : [records])]);
  for (const line of problems) options.onWarning?.(line);
  return { head, kept };
}

/** The files of ours in a folder: only these are ever deleted. */
class Files {
  readonly #folder: string;
  #names = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads which files the index in use and killed builds have left. */
  async open(): Promise<void> {
    const read = async (name: string) => {
      const path = locate(this.#folder, name);
      return (await isRegularFile(path)) ? readText(path) : null;
    };
    try {
      const [head, files] = [await read(headName), await read(filesName)];
      const used = head === null ? null : parseHead(locate(this.#folder, headName), head);
      const announced = files === null ? [] : announcedFiles(locate(this.#folder, filesName), files);
      this.#names = new Set(
        [...(used?.shards.map(({ file }) => file) ?? []), used?.records, ...announced].filter(
          (name): name is string => typeof name === 'string' && isFileOfIndex(name),
        ),
      );
    } catch {
      // Not ours, damaged or of another version: what such a file names is not ours to delete.
    }
  }

  /** Says that a file of this name will be written, so that it can be deleted one day even if this build is killed. */
  async announce(name: string): Promise<void> {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    const text = checkedJson({ version: indexVersion, files: [...this.#names] });
    await writeTextAtomically(locate(this.#folder, filesName), text);
  }

  /** Deletes the files of ours that are none of `current`, and what a kill left of half-written ones. */
  async removeOthers(current: readonly string[]): Promise<void> {
    const { readdir, rm } = await import('node:fs/promises');
    const keep = new Set(current);
    for (const name of await readdir(this.#folder)) {
      const whole = name.replace(/\.\d+-\d+\.tmp$/, '');
      if (!this.#names.has(whole) || keep.has(name)) continue;
      const path = locate(this.#folder, name);
      if (await isRegularFile(path)) await rm(path);
    }
    await rm(locate(this.#folder, filesName), { force: true });
  }
}

/** The fingerprint of a knowledge base as an index of it has it. */
export async function entitiesFingerprint<Entity>(
  entities: AsyncIterable<Entity> | Iterable<Entity>,
  shard: number,
  stamp: (entities: readonly Entity[]) => Promise<string>,
): Promise<string> {
  const stamps: string[] = [];
  for await (const part of partsOf(entities, shard)) {
    for (const chunk of chunksOf(part)) stamps.push(await stamp(chunk));
  }
  return hashOf(stamps);
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

function chunksOf<Entity>(entities: readonly Entity[]): Entity[][] {
  return Array.from({ length: Math.ceil(entities.length / chunkSize) }, (_, i) =>
    entities.slice(i * chunkSize, (i + 1) * chunkSize),
  );
}

/** Chunks ready to be prepared; what could not be read of one is collected when the next is asked for. */
function* encodedChunks<Entity>(
  chunks: readonly Entity[][],
  encode: (entities: readonly Entity[]) => EntityChunk,
  problems: Set<string>,
): Generator<EntityChunk> {
  for (const chunk of chunks) {
    const encoded = encode(chunk);
    yield encoded;
    for (const line of encoded.takeProblems?.() ?? []) problems.add(line);
  }
}

/** Bytes of a shard's tensors, and what was told when it was made, if the file is whole and the one that is meant, else null. */
async function finishedShard(
  path: string,
  head: Pick<IndexHead, 'layout' | 'dtype'>,
  shard: ShardInfo,
): Promise<{ bytes: number; problems: string[] } | null> {
  if (!(await isRegularFile(path))) return null;
  try {
    const file = await openSafetensors(path);
    try {
      checkShard(path, file, head, shard);
      // Reading holds all bytes against their checksums.
      for (const name of file.names) await file.read(name);
      const bytes = file.names.reduce((sum, name) => sum + file.info(name).bytes, 0);
      return { bytes, problems: problemsOf(file) };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof WeightsError) return null;
    throw error;
  }
}

async function isRegularFile(path: string): Promise<boolean> {
  const { lstat } = await import('node:fs/promises');
  const found = await lstat(path).catch(() => null);
  return found?.isFile() ?? false;
}

/** What the file of announced files says. Throws InputError. */
function announcedFiles(path: string, text: string): unknown[] {
  const { files } = parseCheckedJson(path, text, indexVersion, 'build the index again');
  return Array.isArray(files) ? files : [];
}
