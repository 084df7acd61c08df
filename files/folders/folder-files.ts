// What lies in a folder, on a disk or in a browser's storage, and how it goes.

import { inBrowser, namesInBrowser, removeInBrowser, split } from '../browser/browser-files.ts';

/** The names of the regular files in a folder; none where there is no such folder. */
export async function fileNames(folder: string): Promise<string[]> {
  if (inBrowser) return (await namesInBrowser(folder)).files;
  const { readdir } = await import('node:fs/promises');
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/** Whether a path names a regular file, and no link to one. */
export async function isRegularFile(path: string): Promise<boolean> {
  if (inBrowser) {
    const { folder, name } = split(path);
    return (await fileNames(folder)).includes(name);
  }
  const { lstat } = await import('node:fs/promises');
  return (await lstat(path).catch(() => null))?.isFile() ?? false;
}

/** Whether there is a folder, or anything else, of this name. */
export async function isNameTaken(path: string): Promise<boolean> {
  if (inBrowser) {
    const { folder, name } = split(path);
    const { files, folders } = await namesInBrowser(folder);
    return [...files, ...folders].includes(name);
  }
  const { access } = await import('node:fs/promises');
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Removes a file that may not be there. */
export async function removeFile(path: string): Promise<void> {
  if (inBrowser) return removeInBrowser(path);
  const { rm } = await import('node:fs/promises');
  await rm(path, { force: true });
}

/** Removes a folder that nothing is in. */
export async function removeEmptyFolder(path: string): Promise<void> {
  if (inBrowser) {
    const { files, folders } = await namesInBrowser(path);
    return files.length + folders.length === 0 ? removeInBrowser(path) : undefined;
  }
  const { rmdir } = await import('node:fs/promises');
  await rmdir(path).catch(() => {});
}
