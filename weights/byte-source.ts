// Bytes that are read in ranges: a file on disk, or a buffer in memory. Knows nothing of what they mean.

import { WeightsError } from './errors.ts';

/** Something of known length that can be read in ranges. */
export interface ByteSource {
  /** What it is called in errors: a path. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Bytes offset..offset+length-1, in a buffer of their own. Callers have checked the range against `size`;
   * throws WeightsError when the source turns out to be shorter after all.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Largest read asked of the system at once; some refuse 2 GiB and more. */
const mostBytesPerRead = 2 ** 28;

/** Opens a file for reading in ranges (Node and Deno). Throws WeightsError when it cannot be opened. */
export async function openFile(path: string): Promise<ByteSource> {
  const { open } = await import('node:fs/promises');
  const file = await open(path, 'r').catch((error: Error & { code?: string }) => {
    throw new WeightsError(`${path}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`);
  });
  const stats = await file.stat();
  if (!stats.isFile()) {
    await file.close();
    throw new WeightsError(`${path}: not a file`);
  }
  return {
    name: path,
    size: stats.size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const part = bytes.subarray(done, Math.min(length, done + mostBytesPerRead));
        const { bytesRead } = await file.read(part, 0, part.length, offset + done);
        if (bytesRead === 0)
          throw new WeightsError(`${path}: ended at byte ${offset + done} while being read`);
        done += bytesRead;
      }
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
