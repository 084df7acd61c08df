// Writes a file so that its name never shows half of it: to a temporary name first, synced, then renamed.

import { WeightsError } from './errors.ts';

let written = 0;

/** Appends bytes to the file being written. */
export type Append = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes the file at `path` with what `body` appends. When anything fails the file that was there stays and
 * the temporary one goes. Throws WeightsError when the system refuses; errors of `body` pass through.
 */
export async function writeFileAtomically(
  path: string,
  body: (append: Append) => Promise<void>,
): Promise<void> {
  const { open, rename, rm } = await import('node:fs/promises');
  const temporary = `${path}.${process.pid}-${written++}.tmp`;
  const refused = (error: Error) => {
    throw new WeightsError(`${path}: cannot be written: ${error.message}`);
  };
  const file = await open(temporary, 'w').catch(refused);
  try {
    try {
      await body(async (bytes) => {
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, done, bytes.length - done).catch(refused);
          done += bytesWritten;
        }
      });
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
