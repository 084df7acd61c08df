// A folder that a training will write into at its end.

import { mkdir, rmdir } from 'node:fs/promises';

/** Makes the folder now, so that one that cannot be made is refused before the training; and what undoes that. */
export async function reserveFolder(folder: string): Promise<() => Promise<void>> {
  const made = await mkdir(folder, { recursive: true });
  return async () => {
    if (made !== undefined) await rmdir(folder).catch(() => {});
  };
}
