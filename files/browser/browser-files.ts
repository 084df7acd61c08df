// Files in a browser: what is a path elsewhere names one of the page's own there (the origin private file system), or one that
// the visitor chose. The functions of files/ that read and write by path come here where there is no disk. Writing needs
// createWritable: Chrome 86, Firefox 111, Safari 26.

import type { ByteSource } from '../byte-source.ts';
import { InputError, MissingFileError, oneLine, WeightsError } from '../errors.ts';
import type { FolderLock } from '../folder-lock.ts';
import { sha256 } from './sha256.ts';

/** Whether this is a browser, a worker of one included. */
export const inBrowser = !('Deno' in globalThis) && globalThis.process?.versions?.node === undefined;

let chosen: ReadonlyMap<string, Blob> = new Map();

/** From now on these are the files that the visitor chose, by their paths; they stand before those that are stored. */
export function chooseFiles(files: ReadonlyMap<string, Blob>): void {
  chosen = files;
}

/** Opens a file. Throws MissingFileError, and WeightsError for a folder. */
export async function openInBrowser(path: string): Promise<ByteSource> {
  const blob = await blobAt(path);
  const read = async (offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    try {
      const bytes = await blob.slice(offset, offset + length).arrayBuffer();
      if (bytes.byteLength === length) return new Uint8Array(bytes);
    } catch {
      // It was changed, or taken away, after it was chosen.
    }
    throw new WeightsError(`${path}: changed while it was being read`);
  };
  return { name: path, size: blob.size, read, close: async () => {} };
}

/** The SHA-256 of a file's bytes in hexadecimal. Throws as `openInBrowser` does. */
export async function stampInBrowser(path: string): Promise<string> {
  const source = await openInBrowser(path);
  const hash = sha256();
  for (let at = 0; at < source.size; at += pieceBytes) {
    hash.update(await source.read(at, Math.min(pieceBytes, source.size - at)));
  }
  return hash.hex();
}

/**
 * Writes a file that is there whole or not at all; see `writeFileAtomically`. `body` gets what writes bytes at a position.
 * Throws InputError, and what `body` throws.
 */
export async function writeInBrowser(
  path: string,
  body: (write: (bytes: Uint8Array, position: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { folder, name } = split(path);
  const refused = (error: unknown): never => {
    throw new InputError(`${path}: cannot be written: ${reasonOf(error)}`);
  };
  const parent = await folderAt(folder, { create: true }).catch(refused);
  const handle = await parent.getFileHandle(name, { create: true }).catch(refused);
  // What is written goes to a file of its own, which takes the place of the old one when it is closed.
  const file = await handle.createWritable().catch(refused);
  try {
    await body((bytes, position) =>
      file.write({ type: 'write', position, data: bytes.slice() }).catch(refused),
    );
    await file.close().catch(refused);
  } catch (error) {
    await file.abort().catch(() => {});
    throw error;
  }
}

/** The names of the files and, apart from them, of the folders in a folder; none where there is none. */
export async function namesInBrowser(path: string): Promise<{ files: string[]; folders: string[] }> {
  const found = { files: [] as string[], folders: [] as string[] };
  const folder = await folderAt(path).catch(() => null);
  if (!folder) return found;
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind === 'directory') found.folders.push(name);
    else if ((await (handle as FileSystemFileHandle).getFile()).size > 0) found.files.push(name);
  }
  return found;
}

/** Removes a file, or a folder with all that is in it, if it is there. */
export async function removeInBrowser(path: string): Promise<void> {
  const { folder, name } = split(path);
  const parent = await folderAt(folder).catch(() => null);
  await parent?.removeEntry(name, { recursive: true }).catch((error: Error) => {
    if (error.name !== 'NotFoundError')
      throw new InputError(`${path}: cannot be removed: ${reasonOf(error)}`);
  });
}

/** Locks a folder against other tabs and workers of this page; see `lockFolder`. Throws InputError. */
export async function lockInBrowser(folder: string): Promise<FolderLock> {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const isOurs = await new Promise<boolean>((resolve) => {
    void navigator.locks.request(`dsmip ${folder}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : held;
    });
  });
  if (!isOurs)
    throw new InputError(`${folder}: another page is writing there; wait for its end, or close it`);
  return { release: async () => release() };
}

const pieceBytes = 2 ** 20;

/** A file that was chosen or is stored. One without bytes has been begun and was never written to its end. */
async function blobAt(path: string): Promise<Blob> {
  const own = chosen.get(path);
  if (own) return own;
  const { folder, name } = split(path);
  try {
    const file = await (await (await folderAt(folder)).getFileHandle(name)).getFile();
    if (file.size > 0) return file;
  } catch (error) {
    if ((error as Error).name === 'TypeMismatchError') throw new WeightsError(`${path}: not a file`);
  }
  throw new MissingFileError(`${path}: no such file`);
}

/** A folder below the page's own. Rejects with the browser's error where there is none. */
async function folderAt(
  path: string,
  options: { create?: boolean } = {},
): Promise<FileSystemDirectoryHandle> {
  let folder = await navigator.storage.getDirectory();
  for (const name of path.split('/'))
    if (name !== '') folder = await folder.getDirectoryHandle(name, options);
  return folder;
}

/** A path's folder, '' for none, and the name in it. */
export function split(path: string): { folder: string; name: string } {
  const at = path.lastIndexOf('/');
  return { folder: path.slice(0, Math.max(at, 0)), name: path.slice(at + 1) };
}

function reasonOf(error: unknown): string {
  const { name, message } = error as Error;
  return name === 'QuotaExceededError' ? 'the browser gives this page no more room' : oneLine(message);
}
