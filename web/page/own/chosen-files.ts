// What a visitor chooses or drops for a knowledge base: a file of entities, and pictures by the paths that its lines may have.

import { InputError } from '../../../files/errors.ts';
import type { ChosenBase } from './own-index.ts';

/** A file with the path that it has in the folder that was chosen. */
interface FoundFile {
  path: string;
  file: File;
}

/** The files in what was dropped, folders looked through. To be called while the event is handled; rejects with the browser's error. */
export async function droppedFiles({ items }: DataTransfer): Promise<FoundFile[]> {
  const entries = [...items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  return (await Promise.all(entries.map(filesUnder))).flat();
}

/** The files that a field has. */
export function pickedFiles(files: FileList | null): FoundFile[] {
  return [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** The file of entities among some; null where there is none. */
export function linesAmong(files: readonly FoundFile[]): File | null {
  return files.find(({ path }) => /\.(jsonl|ndjson|json)$/i.test(path))?.file ?? null;
}

/**
 * The pictures among some. Each can be named from the folder that was chosen, or from beside it: `cat.jpg` and `pictures/cat.jpg`
 * of a folder `pictures`.
 */
export function picturesAmong(files: readonly FoundFile[]): ChosenBase['pictures'] {
  const pictures = new Map<string, Blob>();
  for (const { path, file } of files) {
    if (!/\.(jpe?g|png|webp)$/i.test(path)) continue;
    pictures.set(path, file);
    pictures.set(path.slice(path.indexOf('/') + 1), file);
  }
  return pictures;
}

/** A name for a knowledge base from that of its file: one that any file system takes. Throws InputError. */
export function nameOf(file: string): string {
  const name = file
    .replace(/\.[^.]*$/, '')
    .replaceAll(/[^\p{L}\p{N}_-]+/gu, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  if (name === '') throw new InputError(`${file}: expected a name with a letter or a digit`);
  return name;
}

async function filesUnder(entry: FileSystemEntry): Promise<FoundFile[]> {
  const path = entry.fullPath.replace(/^\//, '');
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FoundFile[] = [];
  // A folder gives its entries some at a time, and none at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(filesUnder))).flat());
  }
}
