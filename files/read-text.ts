// Reads a text file whole, with everything that is wrong with it said in one line.

import { openFile } from './byte-source.ts';
import { InputError, WeightsError } from './errors.ts';

/**
 * The UTF-8 text of the file at `path`, with or without a byte order mark, which is no part of it. Throws InputError,
 * one line with the path, for a missing file, for what is no file, for bytes that are no UTF-8 and for more than `mostBytes`.
 */
export async function readText(path: string, mostBytes = 2 ** 29): Promise<string> {
  return decodeText(path, await readBytes(path, mostBytes));
}

/** The bytes of the file at `path`. Throws InputError for a missing file, what is no file, and more than `mostBytes`. */
export async function readBytes(path: string, mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const source = await openFile(path);
  try {
    if (source.size > mostBytes) {
      throw new InputError({ file: path, expected: `at most ${mostBytes} bytes`, found: `${source.size}` });
    }
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

/** The text of UTF-8 bytes; `file` is for the error, which says where they are none. Throws InputError. */
export function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const at = validBytes(bytes);
    const line = 1 + bytes.subarray(0, at).reduce((sum, byte) => sum + Number(byte === 10), 0);
    throw new WeightsError(`${file}: line ${line}: expected UTF-8 text, found others at byte ${at}`);
  }
}

/** Up to which byte they can be text. */
function validBytes(bytes: Uint8Array): number {
  let [least, most] = [0, bytes.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      least = middle;
    } catch {
      most = middle - 1;
    }
  }
  return least;
}
