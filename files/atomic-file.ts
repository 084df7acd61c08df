// Writes a file so that its name never shows half of it: to a temporary name first, synced, then renamed.

import { inBrowser, writeInBrowser } from './browser/browser-files.ts';
import { fileError } from './errors.ts';
import { isRunning } from './process-id.ts';

let written = 0;

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
  if (inBrowser) return writeInBrowser(path, body);
  const { open, rename, rm } = await import('node:fs/promises');
  await removeLeftOvers(path);
  const temporary = `${path}.${process.pid}-${written++}.tmp`;
  const refused = (error: unknown): never => {
    throw fileError(path, error, 'written');
  };
  const file = await open(temporary, 'w').catch(refused);
  const write = async (bytes: Uint8Array, position: number): Promise<void> => {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await file
        .write(bytes, done, bytes.length - done, position + done)
        .catch(refused);
      done += bytesWritten;
    }
  };
  let length = 0;
  try {
    try {
      await body(
        async (bytes) => {
          await write(bytes, length);
          length += bytes.length;
        },
        (position, bytes) => write(bytes, position),
      );
      await file.sync().catch(refused);
    } finally {
      await file.close();
    }
    await rename(temporary, path).catch(refused);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolderOf(path);
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

/** Removes temporary files of `path` whose process no longer runs. */
async function removeLeftOvers(path: string): Promise<void> {
  const { readdir, rm } = await import('node:fs/promises');
  const { basename, dirname, join } = await import('node:path');
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    const [, pid] = name.startsWith(prefix) ? (/^(\d+)-\d+\.tmp$/.exec(name.slice(prefix.length)) ?? []) : [];
    if (pid !== undefined && !(await isRunning(Number(pid))))
      await rm(join(dirname(path), name), { force: true });
  }
}
