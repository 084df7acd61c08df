// Writes a set of files that belong together: into a folder beside, which takes the place of the old one when it is whole.
// Of the old one only files that its manifest names are deleted; what else lies there stays. Subfolders are parts of the set.

import { syncFolderOf, writeTextAtomically } from '../atomic-file.ts';
import { fileError, InputError } from '../errors.ts';
import { lockName } from '../folder-lock.ts';
import { checkedJson, parseCheckedJson } from '../json/checked-json.ts';

const manifestName = 'files.json';
const manifestVersion = 2;

/**
 * Calls `body` with an empty folder to write into, and then makes `folder` hold what it wrote: another process sees the old
 * files or the new ones. When anything fails, or the process is killed, the old ones stay. Foreign files and folders in
 * `folder` stay too. Gives what `body` gives. Throws InputError, before `body` is called, when another process writes the
 * same folder, when `folder` is a link or no folder; and when a foreign file has the name of one that was written, unless
 * `overwrites` says that files of these names are meant to be replaced, whoever wrote them.
 */
export async function replaceFolder<T>(
  folder: string,
  body: (stage: string) => Promise<T>,
  { overwrites = false } = {},
): Promise<T> {
  const fs = await import('node:fs/promises');
  const { basename, dirname, join, resolve } = await import('node:path');
  const target = resolve(folder);
  const besides = (what: string) => join(dirname(target), `.${basename(target)}.${what}`);
  const [stage, old] = [besides('staged'), besides('old')];
  await checkFolder(target, folder);
  const lock = await lockName(target);
  try {
    await finishSwap(target, old);
    // What a killed process left there.
    await fs.rm(stage, { recursive: true, force: true });
    await fs.mkdir(stage);
    const result = await body(stage);
    const files = await filesOf(stage);
    if (!overwrites) await checkNames(target, folder, files);
    const manifest = { version: manifestVersion, files };
    await writeTextAtomically(join(stage, manifestName), checkedJson(manifest, 2));
    // From here on two renames, and what finishSwap does after a crash between them.
    await renameIfThere(target, old);
    await fs.rename(stage, target);
    await syncFolderOf(target);
    await finishSwap(target, old);
    return result;
  } catch (error) {
    await fs.rm(stage, { recursive: true, force: true });
    await finishSwap(target, old);
    throw error;
  } finally {
    await lock.release();
  }
}

/**
 * Puts right what a crash may have left: without `target` the old folder is it again; with it the foreign files go over and
 * the old folder goes.
 */
async function finishSwap(target: string, old: string): Promise<void> {
  const fs = await import('node:fs/promises');
  const { join } = await import('node:path');
  if (!(await isThere(old))) return;
  if (!(await isThere(target))) return fs.rename(old, target);
  // What is in the new folder took the place of all of its names.
  const own = new Set([manifestName, ...(await readManifest(old)), ...(await readManifest(target))]);
  for (const name of await filesOf(old)) {
    if (own.has(name)) await fs.rm(join(old, name), { force: true });
    else await moveTo(join(old, name), join(target, name));
  }
  await removeFolders(old);
}

/** Moves a file; where its name is taken by a folder, beside that. */
async function moveTo(from: string, to: string): Promise<void> {
  const fs = await import('node:fs/promises');
  const { dirname } = await import('node:path');
  await fs.mkdir(dirname(to), { recursive: true });
  await fs.rename(from, (await isThere(to)) ? `${to}.old` : to);
}

/** Removes a folder in whose subfolders there are no files any more. */
async function removeFolders(old: string): Promise<void> {
  const fs = await import('node:fs/promises');
  const { join } = await import('node:path');
  for (const entry of await fs.readdir(old, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeFolders(join(old, entry.name));
  }
  await fs.rmdir(old);
}

/** Names in the folder's manifest that are plain files or links; none where there is no manifest of ours. */
async function readManifest(folder: string): Promise<string[]> {
  const fs = await import('node:fs/promises');
  const { join } = await import('node:path');
  const text = await fs.readFile(join(folder, manifestName), 'utf8').catch(() => '');
  let found: { files?: unknown };
  try {
    found = parseCheckedJson(folder, text, manifestVersion, '');
  } catch {
    return []; // not ours or damaged: what such a file names is not ours to delete
  }
  if (!Array.isArray(found.files)) return [];
  const names = found.files.filter((name) => typeof name === 'string' && isPlainName(name)) as string[];
  const kinds = await Promise.all(names.map((name) => fs.lstat(join(folder, name)).catch(() => null)));
  return names.filter((_, i) => kinds[i] !== null && !kinds[i]!.isDirectory());
}

/** A name in a folder or its subfolders, not a way out of it. */
function isPlainName(name: string): boolean {
  return name.split('/').every((part) => !/\\|^\.{0,2}$/.test(part));
}

/** `target` must be a folder or nothing, and no link: what a link leads to is someone else's. */
async function checkFolder(target: string, folder: string): Promise<void> {
  const { lstat } = await import('node:fs/promises');
  const found = await lstat(target).catch((error: Error & { code?: string }) => {
    if (error.code === 'ENOENT') return null;
    throw fileError(folder, error, 'written');
  });
  if (found === null || found.isDirectory()) return;
  const kind = found.isSymbolicLink() ? 'a link' : 'a file';
  throw new InputError({ file: folder, expected: 'a folder or nothing', found: kind });
}

/** A foreign file must not lose its name to one of ours. */
async function checkNames(target: string, folder: string, files: readonly string[]): Promise<void> {
  const there = await filesOf(target).catch(() => [] as string[]);
  const manifest = await readManifest(target);
  const own = new Set(manifest.length > 0 ? [manifestName, ...manifest] : []);
  const foreign = there.find((name) => !own.has(name) && (name === manifestName || files.includes(name)));
  if (foreign === undefined) return;
  throw new InputError(
    `${folder}: ${foreign} was not written by this program and would be replaced; move it away or name another folder`,
  );
}

/** The files and links in a folder and its subfolders, as paths in it with slashes. */
async function filesOf(folder: string, prefix = ''): Promise<string[]> {
  const { readdir } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const found: string[] = [];
  for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) found.push(...(await filesOf(folder, `${name}/`)));
    else found.push(name);
  }
  return found.sort();
}

async function renameIfThere(from: string, to: string): Promise<void> {
  const { rename } = await import('node:fs/promises');
  await rename(from, to).catch((error: Error & { code?: string }) => {
    if (error.code !== 'ENOENT') throw fileError(from, error, 'written');
  });
}

async function isThere(path: string): Promise<boolean> {
  const { lstat } = await import('node:fs/promises');
  return lstat(path).then(
    () => true,
    () => false,
  );
}
