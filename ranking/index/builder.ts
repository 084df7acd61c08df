// Builds a run's entity index in one pass through the entities: a chunk is encoded and its scoring vectors are appended to
// the shard in the making; at most a shard is in memory. Shards that an earlier build finished are kept if they belong to
// the same weights, so that a build that was killed goes on.

import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../files/atomic-file.ts';
import { WeightsError } from '../../files/errors.ts';
import type { Answering } from '../../link/linking-model.ts';
import type { Session } from '../../link/session.ts';
import { openSafetensors } from '../../weights/safetensors.ts';
import { belongsTo, indexFolder } from './belongs.ts';
import { type IndexDtype, type IndexHead, indexVersion } from './format.ts';
import { type ShardOptions, writeShard } from './shard-writer.ts';

export interface BuildOptions extends ShardOptions {
  /** Entities a shard. */
  shard: number;
}

/** Builds RUN/index and gives its head, and how many shards were there already. Throws UsageError, WeightsError. */
export async function buildIndex(
  session: Session,
  folder: string,
  chosen: Answering,
  options: BuildOptions,
): Promise<{ head: IndexHead; kept: number }> {
  const path = indexFolder(folder);
  await mkdir(path, { recursive: true });
  const count = session.corpus.entities.images.length;
  const belongs = await belongsTo(session, folder, chosen);
  const shards = shardList(count, options.shard);
  // Without its head an index is none, until all shards are new.
  await rm(join(path, 'index.json'), { force: true });
  const done = (some: number) => options.progress(some / shards.length);
  let [kept, bytes] = [0, 0];
  for (const [i, shard] of shards.entries()) {
    const file = join(path, shard.file);
    const stamp = stampOf(belongs, options.dtype, shard);
    const found = await finishedBytes(file, stamp);
    if (found !== null) kept++;
    else
      await writeShard(
        session,
        chosen,
        { ...options, progress: (part) => done(i + part) },
        file,
        shard,
        stamp,
      );
    bytes += found ?? (await finishedBytes(file, stamp))!;
  }
  for (const name of await readdir(path)) {
    if (!shards.some(({ file }) => file === name)) await rm(join(path, name), { force: true });
  }
  const head: IndexHead = {
    version: indexVersion,
    belongs,
    inputs: session.inputs,
    dtype: options.dtype,
    entities: count,
    experts: chosen.experts.map(({ kind }) => kind),
    gate: await sharedGate(session, chosen),
    bytes,
    bytesPerEntity: Math.round(bytes / count),
    shards,
  };
  await writeFileAtomically(join(path, 'index.json'), (append) =>
    append(new TextEncoder().encode(`${JSON.stringify(head, null, 2)}\n`)),
  );
  return { head, kept };
}

type Shard = IndexHead['shards'][number];

function shardList(entities: number, size: number): Shard[] {
  return Array.from({ length: Math.ceil(entities / size) }, (_, i) => ({
    file: `shard-${String(i).padStart(5, '0')}.safetensors`,
    first: i * size,
    count: Math.min(size, entities - i * size),
  }));
}

/** What a shard's metadata say of it: a shard that says the same is not made again. */
function stampOf(belongs: string, dtype: IndexDtype, { first, count }: Shard): Record<string, string> {
  return { belongs, dtype, first: `${first}`, count: `${count}` };
}

/** Bytes of a shard's tensors if the file is whole and has this stamp, else null. */
async function finishedBytes(path: string, stamp: Readonly<Record<string, string>>): Promise<number | null> {
  if (!existsSync(path)) return null;
  try {
    const file = await openSafetensors(path);
    await file.close();
    const fits = Object.entries(stamp).every(([name, value]) => file.metadata[name] === value);
    return fits ? file.names.reduce((sum, name) => sum + file.info(name).bytes, 0) : null;
  } catch (error) {
    if (error instanceof WeightsError) return null;
    throw error;
  }
}

/** How the gate sees entities: by shares of their own, or all alike. */
async function sharedGate({ device }: Session, { experts, dsmip }: Answering): Promise<IndexHead['gate']> {
  if (!dsmip) return null;
  if (dsmip.by === 'pair') return { experts: experts.length, shared: null };
  const read = device.scope(() =>
    device.read<'f32'>(dsmip.share('entity', { rows: [], images: [] }, 'train')),
  );
  return { experts: experts.length, shared: [...(await read)] };
}
