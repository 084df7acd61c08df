// The file that keeps vectors of texts: made a few at a time, found again by what they are of. Rows are float16. A file that a
// killed process leaves is good up to its last whole record.
//
//   DSMIPVEC | version u32 | width u32 | records: key, 16 bytes | width x f16 | CRC-32 of the record before it, u32
//
// Little-endian throughout.

import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from '../../files/crc32.ts';
import { fileError } from '../../files/errors.ts';
import { type FolderLock, lockName } from '../../files/folder-lock.ts';

const magic = 'DSMIPVEC';
const version = 1;
const headerBytes = 16;
const keyBytes = 16;
/** Bytes that are read at once. */
const readBytes = 2 ** 24;

/** A key as a string: sixteen characters, one a byte. */
export type VectorKey = string;

/** The key of a text. */
export function vectorKey(text: string): VectorKey {
  return createHash('sha256').update(text).digest().toString('latin1', 0, keyBytes);
}

/** An open file of vectors. Only one at a time writes to a file. */
export class VectorFile {
  readonly width: number;
  /** Each vector's bits by its key. */
  readonly rows: ReadonlyMap<VectorKey, Uint16Array>;
  #rows: Map<VectorKey, Uint16Array>;
  #path: string;
  #file: FileHandle;
  #length: number;
  #lock: FolderLock;

  private constructor(path: string, width: number, file: FileHandle, lock: FolderLock) {
    this.width = width;
    this.rows = this.#rows = new Map();
    this.#path = path;
    this.#file = file;
    this.#length = headerBytes;
    this.#lock = lock;
  }

  /**
   * Opens the file at `path`, made with its folder where it is missing. What is no such file, or of another width, is begun
   * anew; damaged records and all after them go, which is told of. Throws InputError where another process has it open or the
   * system refuses.
   */
  static async open(path: string, width: number, onWarning?: (line: string) => void): Promise<VectorFile> {
    const refused = (error: unknown): never => {
      throw fileError(path, error, 'written');
    };
    await mkdir(dirname(path), { recursive: true }).catch(refused);
    const lock = await lockName(path);
    try {
      const file = await open(path, 'a+').catch(refused);
      await file.close();
      const opened = new VectorFile(path, width, await open(path, 'r+').catch(refused), lock);
      await opened.#read(onWarning).catch(async (error) => {
        await opened.#file.close();
        throw error;
      });
      return opened;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Appends vectors, `bits` [keys, width] as float16. Throws InputError where the system refuses. */
  async append(keys: readonly VectorKey[], bits: Uint16Array<ArrayBuffer>): Promise<void> {
    const { width } = this;
    const size = recordBytes(width);
    const bytes = new Uint8Array(keys.length * size);
    for (const [i, key] of keys.entries()) {
      const record = bytes.subarray(i * size, (i + 1) * size);
      const row = bits.slice(i * width, (i + 1) * width);
      for (let at = 0; at < keyBytes; at++) record[at] = key.charCodeAt(at);
      const view = new DataView(record.buffer, record.byteOffset);
      for (const [at, half] of row.entries()) view.setUint16(keyBytes + 2 * at, half, true);
      view.setUint32(size - 4, crc32(record.subarray(0, size - 4)), true);
      this.#rows.set(key, row);
    }
    await this.#write(bytes);
  }

  async close(): Promise<void> {
    await this.#file.sync().catch(() => {}); // the rows are in memory, and a lost record is made again
    await this.#file.close();
    await this.#lock.release();
  }

  async #read(onWarning?: (line: string) => void): Promise<void> {
    const { width } = this;
    const header = headerOf(width);
    const found = new Uint8Array(headerBytes);
    const { bytesRead } = await this.#file.read(found, 0, headerBytes, 0);
    if (!found.every((byte, i) => byte === header[i])) {
      if (bytesRead > 0) onWarning?.(`${this.#path}: its head is damaged; all of it is made again`);
      await this.#file.truncate(0);
      this.#length = 0;
      await this.#write(header);
      return;
    }
    const size = recordBytes(width);
    const buffer = new Uint8Array(Math.max(1, Math.floor(readBytes / size)) * size);
    for (;;) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#length);
      const whole = this.#take(buffer.subarray(0, bytesRead));
      this.#length += whole;
      if (whole < buffer.length) break;
    }
    const { size: bytes } = await this.#file.stat();
    if (bytes > this.#length) {
      onWarning?.(
        `${this.#path}: cut off or damaged at byte ${this.#length}; what is behind it is made again`,
      );
    }
    await this.#file.truncate(this.#length);
  }

  /** Keeps the records at the beginning of `bytes` that are whole; gives how many bytes they are. */
  #take(bytes: Uint8Array): number {
    const size = recordBytes(this.width);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    for (; at + size <= bytes.length; at += size) {
      if (crc32(bytes.subarray(at, at + size - 4)) !== view.getUint32(at + size - 4, true)) break;
      const row = new Uint16Array(this.width);
      for (let i = 0; i < row.length; i++) row[i] = view.getUint16(at + keyBytes + 2 * i, true);
      this.#rows.set(String.fromCharCode(...bytes.subarray(at, at + keyBytes)), row);
    }
    return at;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file
        .write(bytes, done, bytes.length - done, this.#length)
        .catch((error) => {
          throw fileError(this.#path, error, 'written');
        });
      done += bytesWritten;
      this.#length += bytesWritten;
    }
  }
}

function recordBytes(width: number): number {
  return keyBytes + 2 * width + 4;
}

function headerOf(width: number): Uint8Array {
  const header = new Uint8Array(headerBytes);
  header.set(new TextEncoder().encode(magic));
  const view = new DataView(header.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, width, true);
  return header;
}
