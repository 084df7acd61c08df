// Bytes that are read in ranges: a file on disk or a buffer in memory (http-source.ts: a file on a server). Knows
// nothing of what they mean.

import { inBrowser, openInBrowser } from './browser/browser-files.ts';
import { fileError, WeightsError } from './errors.ts';

/** Something of known length that can be read in ranges. */
export interface ByteSource {
  /** What it is called in errors: a path or an address. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Bytes offset..offset+length-1, in a buffer of their own. Callers have checked the range against `size`;
   * throws WeightsError when the source turns out to be shorter after all.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Fills `into` with the bytes from `offset` on, beside the caller's work where the system can. */
  readInto?(offset: number, into: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<void>;
}

/** Largest read asked of the system at once; some refuse 2 GiB and more. */
const mostBytesPerRead = 2 ** 28;

/**
 * Reads of at most so many bytes do not take the way through the system's threads: from the cache they take 2 us instead of
 * 19, and linking by candidates reads a thousand small pieces a mention.
 */
const mostBytesDirectly = 2 ** 16;

/** Opens a file for reading in ranges. Throws WeightsError when it cannot be opened. */
export async function openFile(path: string): Promise<ByteSource> {
  if (inBrowser) return openInBrowser(path);
  const [{ constants, readSync }, { open }] = await Promise.all([
    import('node:fs'),
    import('node:fs/promises'),
  ]);
  const refused = (error: unknown): never => {
    throw fileError(path, error);
  };
  // Without O_NONBLOCK, opening a pipe waits for someone to write into it.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(refused);
  const stats = await file.stat();
  // A file that the kernel makes while it is read (/proc) has no length; one without content has nothing to read.
  const isEmpty = async () => (await file.read(new Uint8Array(1), 0, 1, 0).catch(refused)).bytesRead === 0;
  if (!stats.isFile() || (stats.size === 0 && !(await isEmpty()))) {
    await file.close();
    throw new WeightsError(`${path}: not a file`);
  }
  const readPart = async (part: Uint8Array<ArrayBuffer>, at: number): Promise<number> => {
    if (part.length <= mostBytesDirectly) return readSync(file.fd, part, 0, part.length, at);
    return (await file.read(part, 0, part.length, at)).bytesRead;
  };
  const readInto = async (offset: number, into: Uint8Array<ArrayBuffer>): Promise<void> => {
    for (let done = 0; done < into.length; ) {
      const part = into.subarray(done, Math.min(into.length, done + mostBytesPerRead));
      const bytesRead = await readPart(part, offset + done).catch(refused);
      if (bytesRead === 0) throw new WeightsError(`${path}: ended at byte ${offset + done} while being read`);
      done += bytesRead;
    }
  };
  return {
    name: path,
    size: stats.size,
    readInto,
    async read(offset, length) {
      const bytes = allocate(path, length);
      await readInto(offset, bytes);
      return bytes;
    },
    close: () => file.close(),
  };
}

/** A source over bytes in memory (a browser's upload, a test). */
export function bytesInMemory(name: string, bytes: Uint8Array<ArrayBuffer>): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => bytes.slice(offset, offset + length),
    close: async () => {},
  };
}

/**
 * A buffer for what is read from `name`. Throws WeightsError when there is no such memory: a sparse file or a
 * server may truly claim more than any machine has.
 */
export function allocate(name: string, bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch {
    throw new WeightsError(`${name}: ${bytes} bytes at once do not fit into memory`);
  }
}
