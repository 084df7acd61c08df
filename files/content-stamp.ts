// What a file's bytes are known by: their SHA-256. It is remembered for the life of the process, by path, size and times,
// so that asking again costs a look at the folder and not a read.

import { inBrowser, stampInBrowser } from './browser/browser-files.ts';
import { fileError, InputError } from './errors.ts';

/** Stamps by path, with what the file system said of the file when it was read. */
const known = new Map<string, { seen: string; stamp: string }>();

const readBytes = 2 ** 18;
/** Times may have steps of a second (Deno): a file that changed later than this before it was read may change unseen. */
const settledMs = 2000;

/**
 * The SHA-256 of the file's bytes in hexadecimal. A file is read again when its size, time of modification or time of
 * change is another than before. Throws InputError where it cannot be read or is no file.
 */
export async function contentStamp(path: string): Promise<string> {
  if (inBrowser) return stampInBrowser(path);
  const { closeSync, constants, fstatSync, openSync, statSync } = await import('node:fs');
  // Asked directly: a data set has thousands of small images, and each way through the system's threads takes 0.1 ms.
  const asked = <T>(ask: () => T): T => {
    try {
      return ask();
    } catch (error) {
      throw fileError(path, error);
    }
  };
  const before = asked(() => statSync(path, { bigint: true }));
  if (!before.isFile()) throw new InputError(`${path}: not a file`);
  const seen = `${before.ino} ${before.size} ${before.mtimeNs} ${before.ctimeNs}`;
  const found = known.get(path);
  if (found?.seen === seen) return found.stamp;

  const file = asked(() => openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
  try {
    const stamp = await hashOfFile(path, file, Number(before.size));
    const after = asked(() => fstatSync(file, { bigint: true }));
    // What changed while it was read, or just before, is not remembered.
    const isSettled = Date.now() - Number(after.ctimeMs) > settledMs;
    if (isSettled && `${after.ino} ${after.size} ${after.mtimeNs} ${after.ctimeNs}` === seen) {
      known.set(path, { seen, stamp });
    }
    return stamp;
  } finally {
    closeSync(file);
  }
}

/** The SHA-256 of an open file; between the pieces of a large one others get their turn. */
async function hashOfFile(path: string, file: number, size: number): Promise<string> {
  const { readSync } = await import('node:fs');
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  // No larger than the file, so that a small image costs a small buffer.
  const buffer = new Uint8Array(Math.min(readBytes, size + 1));
  for (let piece = 0; ; piece++) {
    if (piece % 16 === 15) await new Promise((resolve) => setTimeout(resolve));
    let bytesRead: number;
    try {
      bytesRead = readSync(file, buffer, 0, buffer.length, null);
    } catch (error) {
      throw fileError(path, error);
    }
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
  }
}
