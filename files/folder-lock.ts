// One writer a folder. Each writer makes a file of its own, named by its machine, process and the process's start, and then
// looks for others': whoever came first stays, files of processes that are gone are removed. There is nothing to take over
// and so no race, and a lock dies with its process, kill -9 and power cuts included. Works wherever folders do (Node and
// Deno; Linux, macOS, Windows); between machines that share a folder a lock counts as held until its file is removed.

import { inBrowser, lockInBrowser } from './browser/browser-files.ts';
import { fileError, InputError } from './errors.ts';
import { isRunning, startOf } from './process-id.ts';

export interface FolderLock {
  /** Lets the next writer in. Calling it again does nothing. */
  release(): Promise<void>;
}

/** How often one that meets another tries again: two that begin at once both step back. */
const tries = 4;

/**
 * Locks `folder`, which is made where it is not there. Throws InputError, one line, when another process, or this one, is
 * writing there.
 */
export function lockFolder(folder: string): Promise<FolderLock> {
  return inBrowser ? lockInBrowser(folder) : lock(folder, '.dsmip-lock-', folder);
}

/** Locks one name in a folder, whether there is something of that name or not; else as `lockFolder`. */
export async function lockName(path: string): Promise<FolderLock> {
  const { basename, dirname } = await import('node:path');
  return lock(dirname(path), `.${basename(path)}.lock-`, path);
}

async function lock(folder: string, prefix: string, name: string): Promise<FolderLock> {
  const { mkdir, rm } = await import('node:fs/promises');
  const { rmSync } = await import('node:fs');
  const { join } = await import('node:path');
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw fileError(folder, error, 'written');
  });
  const own = `${prefix}${await machine()}-${process.pid}-${await startOf(process.pid)}`;
  for (let left = tries; ; left--) {
    const other = await tryOnce(folder, prefix, own);
    if (other === null) break;
    if (left === 1 || other.isSelf) throw heldBy(name, join(folder, other.file), other);
    await new Promise((resolve) => setTimeout(resolve, 10 + 90 * Math.random()));
  }
  // A process that ends without releasing leaves nothing behind, unless it is killed.
  const path = join(folder, own);
  const onExit = () => rmSync(path, { force: true });
  process.once('exit', onExit);
  return {
    async release() {
      process.off('exit', onExit);
      await rm(path, { force: true });
    },
  };
}

interface Holder {
  file: string;
  pid: number;
  isSelf: boolean;
}

/** Makes this process's file; gives another holder where there is one, and then takes the file away again. */
async function tryOnce(folder: string, prefix: string, own: string): Promise<Holder | null> {
  const { open, readdir, rm } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const made = await open(join(folder, own), 'wx').catch((error: Error & { code?: string }) => {
    if (error.code === 'EEXIST') return null;
    throw fileError(folder, error, 'written');
  });
  if (made === null) return { file: own, pid: process.pid, isSelf: true };
  await made.close();
  // Only after the own file is there: of two writers the later one sees the other.
  for (const file of await readdir(folder)) {
    if (file === own || !file.startsWith(prefix)) continue;
    const [, where, pid, start] = /^([0-9a-f]+)-(\d+)-([0-9a-f]+)$/.exec(file.slice(prefix.length)) ?? [];
    if (where === undefined) continue;
    const isHere = where === (await machine());
    const isHeld =
      !isHere || ((await isRunning(Number(pid))) && ['0', start].includes(await startOf(Number(pid))));
    if (isHeld) {
      await rm(join(folder, own), { force: true });
      return { file, pid: Number(pid), isSelf: false };
    }
    // The process is gone for good, so that removing its file takes nothing from anyone.
    await rm(join(folder, file), { force: true });
  }
  return null;
}

function heldBy(name: string, file: string, { pid, isSelf }: Holder): InputError {
  return new InputError(
    isSelf
      ? `${name}: this process is writing there already`
      : `${name}: process ${pid} is writing there; wait for its end (if there is no such process, remove ${file})`,
  );
}

let hashed: string | null = null;

/** This machine's name as hexadecimal digits. */
async function machine(): Promise<string> {
  if (hashed !== null) return hashed;
  const { hostname } = await import('node:os');
  const { createHash } = await import('node:crypto');
  hashed = createHash('sha256').update(hostname()).digest('hex').slice(0, 12);
  return hashed;
}
