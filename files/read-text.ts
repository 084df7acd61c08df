// Reads a text file whole, with everything that is wrong with it said in one line.

import { openFile } from './byte-source.ts';
import { InputError } from './errors.ts';

/**
 * The UTF-8 text of the file at `path`, with or without a byte order mark, which is no part of it. Throws InputError,
 * one line with the path, for a missing file, for what is no file, for bytes that are no UTF-8 and for more than `mostBytes`.
 */
export async function readText(path: string, mostBytes = 2 ** 29): Promise<string> {
  const source = await openFile(path);
  try {
    if (source.size > mostBytes) {
      throw new InputError({ file: path, expected: `at most ${mostBytes} bytes`, found: `${source.size}` });
    }
    return decodeText(path, await source.read(0, source.size));
  } finally {
    await source.close();
  }
}

/** The text of UTF-8 bytes; `file` is for the error. Throws InputError where they are none. */
export function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${file}: expected UTF-8 text`);
  }
}
