// Downloads a file so that its name never shows half of it: into a `.part` file that a later run goes on with, checked
// against its checksum, synced, renamed. Knows nothing of where the bytes come from.

import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolderOf } from '../files/atomic-file.ts';
import { fileError, InterruptedError, WeightsError } from '../files/errors.ts';
import { lockName } from '../files/folder-lock.ts';
import { type RetryOptions, withRetries } from '../files/http/retry.ts';

/** A file elsewhere. */
export interface RemoteFile {
  /** What it is called in errors. */
  name: string;
  size: number;
  checksum: Checksum;
  /** The bytes from byte `first` on. Throws WeightsError, InterruptedError when trying again may help. */
  bytes(first: number): AsyncIterable<Uint8Array>;
}

/** SHA-256 of the bytes, or SHA-1 of git's header and the bytes. */
interface Checksum {
  kind: 'sha256' | 'git';
  hex: string;
}

/** Called with the bytes that are there so far. */
type OnProgress = (done: number) => void;

/** Bytes that earn a connection new retries. */
const progressBytes = 2 ** 20;
const readBytes = 2 ** 20;

/**
 * Makes the file at `target` the remote one; says whether it was there already. What an earlier run left is gone on
 * with. Throws WeightsError, one line, also while another process downloads it; the part that came stays unless it is wrong.
 */
export async function downloadTo(
  target: string,
  remote: RemoteFile,
  onProgress: OnProgress,
  retry: RetryOptions = {},
): Promise<'there' | 'downloaded'> {
  if (await isThere(target, remote)) return 'there';
  // The checksum is in the name: a part of another version of the file is never gone on with.
  const part = `${target}.${remote.checksum.hex.slice(0, 12)}.part`;
  await mkdir(dirname(target), { recursive: true }).catch(refuse(target));
  const lock = await lockName(target);
  try {
    return await download();
  } finally {
    await lock.release();
  }

  async function download(): Promise<'downloaded'> {
    await removeOtherParts(target, part);
    const resumed = await fetchPart(part, remote, onProgress, retry);
    // What an earlier run left may have been damaged since: begin anew once.
    const found = resumed.hex === remote.checksum.hex || !resumed.isResumed ? resumed : await anew();
    if (found.hex !== remote.checksum.hex) {
      await rm(part, { force: true });
      throw new WeightsError(
        `${remote.name}: wrong checksum ${found.hex}, the hub says ${remote.checksum.hex}; what came was thrown away`,
      );
    }
    await rename(part, target).catch(refuse(target));
    await syncFolderOf(target);
    return 'downloaded';
  }

  async function anew() {
    await rm(part, { force: true });
    return fetchPart(part, remote, onProgress, retry);
  }
}

/** Fetches what is missing of `part`; gives the checksum of all of it, and whether something was there before. */
async function fetchPart(
  part: string,
  remote: RemoteFile,
  onProgress: OnProgress,
  retry: RetryOptions,
): Promise<{ hex: string; isResumed: boolean }> {
  const file = await open(part, constants.O_RDWR | constants.O_CREAT).catch(refuse(part));
  try {
    let hash = newHash(remote);
    let done = await hashFile(file, hash);
    if (done > remote.size) {
      await file.truncate(0);
      [hash, done] = [newHash(remote), 0];
    }
    const isResumed = done > 0;
    let earned = done;
    await withRetries(async (progressed) => {
      onProgress(done);
      if (done === remote.size) return;
      for await (const chunk of remote.bytes(done)) {
        if (chunk.length > remote.size - done) {
          throw new WeightsError(
            `${remote.name}: the server sends more than the ${remote.size} bytes it has`,
          );
        }
        await write(file, part, chunk, done, remote.size);
        hash.update(chunk);
        done += chunk.length;
        onProgress(done);
        if (done - earned < progressBytes) continue;
        earned = done;
        progressed();
      }
      if (done < remote.size) {
        throw new InterruptedError(
          `${remote.name}: the connection ended after ${done} of ${remote.size} bytes; run it again to go on`,
        );
      }
    }, retry);
    await file.sync().catch(refuse(part));
    return { hex: hash.digest('hex'), isResumed };
  } finally {
    await file.close();
  }
}

async function write(
  file: FileHandle,
  part: string,
  chunk: Uint8Array,
  position: number,
  size: number,
): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await file
      .write(chunk, written, chunk.length - written, position + written)
      .catch((error: Error & { code?: string }) => {
        if (error.code !== 'ENOSPC') return refuse(part)(error);
        throw new WeightsError(
          `${part}: no space left on the disk, ${size - position} of ${size} bytes are still to come; ` +
            'free some and run it again to go on',
        );
      });
    written += bytesWritten;
  }
}

async function isThere(target: string, remote: RemoteFile): Promise<boolean> {
  const file = await open(target, 'r').catch(() => null);
  if (!file) return false;
  try {
    if ((await file.stat()).size !== remote.size) return false;
    const hash = newHash(remote);
    await hashFile(file, hash);
    return hash.digest('hex') === remote.checksum.hex;
  } finally {
    await file.close();
  }
}

function newHash({ checksum, size }: RemoteFile): Hash {
  return checksum.kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

/** Adds a file's bytes to the hash and gives their number. */
async function hashFile(file: FileHandle, hash: Hash): Promise<number> {
  const { size } = await file.stat();
  const buffer = new Uint8Array(readBytes);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(readBytes, size - done), done);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    done += bytesRead;
  }
  return done;
}

/** Parts of other versions of the file. */
async function removeOtherParts(target: string, part: string): Promise<void> {
  const folder = dirname(target);
  for (const name of await readdir(folder)) {
    const isPart = name.startsWith(`${basename(target)}.`) && /\.[0-9a-f]{12}\.part$/.test(name);
    if (isPart && name !== basename(part)) await rm(join(folder, name), { force: true });
  }
}

function refuse(path: string): (error: Error) => never {
  return (error) => {
    throw fileError(path, error, 'written');
  };
}
