// Writes a file so that its name never shows half of it: to a temporary name first, synced, then renamed.

import { inBrowser, writeInBrowser } from './browser/browser-files.ts';
import { fileError } from './errors.ts';
import { isRunning } from './process-id.ts';

let written = 0;

/** Files that are being written, by their temporary names. */
const unfinished = new Set<string>();

/** What ends a process and can be heard: Ctrl-C, a service manager, a terminal that is closed. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Appends bytes to the file being written. */
export type Append = (bytes: Uint8Array) => Promise<void>;

/** Replaces bytes that were appended before, from byte `position` on: a header that is known only at the end. */
export type Patch = (position: number, bytes: Uint8Array) => Promise<void>;

/**
 * Writes the file at `path` with what `body` appends. When anything fails the file that was there stays and
 * the temporary one goes; temporary files of processes that were killed go with the next writing. Throws InputError
 * when the system refuses; errors of `body` pass through.
 */
export async function writeFileAtomically(
  path: string,
  body: (append: Append, patch: Patch) => Promise<void>,
): Promise<void> {
  if (inBrowser) return writeInBrowser(path, (write) => fill(write, body));
  const { open, rename, rm } = await import('node:fs/promises');
  const { basename, dirname } = await import('node:path');
  await removeLeftOvers(dirname(path), (name) => name === basename(path));
  const temporary = `${path}.${process.pid}-${written++}.tmp`;
  const refused = (error: unknown): never => {
    throw fileError(path, error, 'written');
  };
  await begin(temporary);
  const file = await open(temporary, 'w').catch((error) => {
    end(temporary);
    return refused(error);
  });
  try {
    try {
      await fill((bytes, position) => writeAt(file, bytes, position).catch(refused), body);
      await file.sync().catch(refused);
    } finally {
      await file.close();
    }
    await rename(temporary, path).catch(refused);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    end(temporary);
  }
  await syncFolderOf(path);
}

/** Lets `body` append and patch by writing bytes at positions. */
async function fill(
  write: (bytes: Uint8Array, position: number) => Promise<void>,
  body: (append: Append, patch: Patch) => Promise<void>,
): Promise<void> {
  let length = 0;
  await body(
    async (bytes) => {
      await write(bytes, length);
      length += bytes.length;
    },
    (position, bytes) => write(bytes, position),
  );
}

/** What is needed of Node's FileHandle, whose type the declarations of the package must not name: not everyone has Node's types. */
export interface WritableFile {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }>;
}

/** Writes all of the bytes to an open file, which may take them in parts. */
export async function writeAt(file: WritableFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** From here on a process that is told to end removes the file first. */
async function begin(temporary: string): Promise<void> {
  // Loaded now: where the process ends nothing can be waited for.
  if (!removeNow) {
    const { rmSync } = await import('node:fs');
    removeNow = () => {
      for (const path of unfinished) rmSync(path, { force: true });
    };
  }
  if (unfinished.size === 0) {
    process.on('exit', removeNow);
    for (const signal of endings) process.on(signal, endBy);
  }
  unfinished.add(temporary);
}

function end(temporary: string): void {
  unfinished.delete(temporary);
  if (unfinished.size > 0) return;
  process.off('exit', removeNow!);
  for (const signal of endings) process.off(signal, endBy);
}

let removeNow: (() => void) | null = null;

/** Who else listens decides what a signal means; where nobody does it ends the process, as if nothing were being written. */
function endBy(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeNow!();
  process.off(signal, endBy);
  process.kill(process.pid, signal);
}

/** Writes a text in UTF-8; see `writeFileAtomically`. */
export function writeTextAtomically(path: string, text: string): Promise<void> {
  return writeFileAtomically(path, (append) => append(new TextEncoder().encode(text)));
}

/** Makes the renaming last through a power cut, where the system lets a folder be synced. */
export async function syncFolderOf(path: string): Promise<void> {
  const { open } = await import('node:fs/promises');
  const { dirname } = await import('node:path');
  try {
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
  } catch {
    // Windows does not open folders; the file itself is synced.
  }
}

/** Removes what processes that no longer run left of half-written files; `isOurs`: of a file of this name in the folder. */
export async function removeLeftOvers(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  const { readdir, rm } = await import('node:fs/promises');
  const { join } = await import('node:path');
  for (const name of await readdir(folder).catch(() => [])) {
    const [, of, pid] = /^(.+)\.(\d+)-\d+\.tmp$/.exec(name) ?? [];
    if (of === undefined || !isOurs(of) || (await isRunning(Number(pid)))) continue;
    await rm(join(folder, name), { force: true });
  }
}
