// What an index keeps of its entities besides vectors: names, aliases, attributes and paths of images, in one file that gives
// any row without being read, and the rows of a name. Opening reads 64 bytes; memory does not grow with the knowledge base.
//
//   head      64 bytes: 'DSMIPENT', version, CRC-32 of the rest of the head, then as u64 the number of entities, the bytes of
//             the file, where offsets, buckets and names begin, the number of buckets
//   records   of each entity the CRC-32 of its text (u32) and its text: JSON, [qid, name, aliases, attributes, images]
//   offsets   u64 [entities + 1]: where each record begins, and where the last one ends
//   buckets   u32 [buckets + 1, 2]: the number of the first name of each bucket, and the CRC-32 of the bucket's names
//   names     u32 [names, 2]: the CRC-32 of a name in its plain form, and its row; a name is in bucket CRC % buckets
//
// All numbers are little-endian. Whatever is read is held against its checksum first.

import { writeFileAtomically } from '../files/atomic-file.ts';
import type { ByteSource } from '../files/byte-source.ts';
import { crc32 } from '../files/crc32.ts';
import { InputError } from '../files/errors.ts';
import { openSource } from '../files/locate.ts';
import type { Entity } from './entity-mention.ts';

/** What is kept of an entity. */
export type EntityRecord = Omit<Entity, 'id'>;

const magic = 'DSMIPENT';
const version = 1;
const headBytes = 64;
/** Names in a bucket, on average. */
const bucketNames = 64;
/** Bytes that are handed to the file at once. */
const pieceBytes = 2 ** 20;
/** Records of more bytes are no entity's. */
const mostRecordBytes = 2 ** 26;

/** A name as it is compared: without case, accents of Latin, Greek and Cyrillic letters, underscores and double spaces. */
export function plainName(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\s_]+/g, ' ')
    .trim();
}

/** An open file of entity records. */
export class EntityRecords {
  readonly count: number;
  #source: ByteSource;
  #head: Head;

  /** Made by `readEntityRecords`. */
  constructor(source: ByteSource, head: Head) {
    this.count = head.count;
    this.#source = source;
    this.#head = head;
  }

  /** The record of a row. Throws InputError where it is damaged. */
  async read(row: number): Promise<EntityRecord> {
    if (!Number.isInteger(row) || row < 0 || row >= this.count) {
      throw new RangeError(`row ${row} of ${this.count} entities`);
    }
    const { offsets } = this.#head;
    const places = new DataView((await this.#source.read(offsets + 8 * row, 16)).buffer);
    const [first, end] = [0, 8].map((at) => Number(places.getBigUint64(at, true))) as [number, number];
    const bytes = end - first - 4;
    if (first < headBytes || end > offsets || bytes < 2 || bytes > mostRecordBytes) throw this.#damaged(row);
    const record = await this.#source.read(first, bytes + 4);
    const text = record.subarray(4);
    if (new DataView(record.buffer).getUint32(0, true) !== crc32(text)) throw this.#damaged(row);
    const [qid, name, aliases, attributes, images] = JSON.parse(new TextDecoder().decode(text));
    return { qid, name, aliases, attributes, images };
  }

  /**
   * The rows with this name or alias, in order, at most `limit`; compared in `plainName`'s form. Throws InputError where
   * the file is damaged.
   */
  async rowsNamed(name: string, limit = 100): Promise<number[]> {
    const plain = plainName(name);
    if (plain === '') return [];
    const hash = crc32(new TextEncoder().encode(plain));
    const rows: number[] = [];
    for (const row of await this.#rowsOf(hash)) {
      if (rows.length === limit) break;
      // Another name may have the same sum.
      const record = await this.read(row);
      if ([record.name, ...record.aliases].some((each) => plainName(each) === plain)) rows.push(row);
    }
    return rows;
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  /** Rows with a name of this sum, each once. */
  async #rowsOf(hash: number): Promise<Set<number>> {
    const { buckets, bucketCount, names, size } = this.#head;
    const bucket = hash % bucketCount;
    const entry = new Uint32Array((await this.#source.read(buckets + 8 * bucket, 16)).buffer);
    const [first, sum, end] = entry as unknown as [number, number, number];
    const [from, to] = [names + 8 * first, names + 8 * end];
    if (first > end || to > size) throw this.#damaged();
    const bytes = await this.#source.read(from, to - from);
    if (crc32(bytes) !== sum) throw this.#damaged();
    const found = new Uint32Array(bytes.buffer);
    const rows = new Set<number>();
    for (let i = 0; i < found.length; i += 2) if (found[i] === hash) rows.add(found[i + 1]!);
    return rows;
  }

  #damaged(row?: number): InputError {
    const where = row === undefined ? 'its names' : `entity ${row}`;
    return new InputError(`${this.#source.name}: ${where}: damaged (wrong checksum)`);
  }
}

/** Opens the file of records at a path or an http(s) address; see `readEntityRecords`. */
export async function openEntityRecords(where: string): Promise<EntityRecords> {
  const source = await openSource(where);
  try {
    return await readEntityRecords(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Reads and checks the head of a file of records, wherever its bytes are. Throws InputError for what is no such file, of
 * another version, cut off or damaged.
 */
export async function readEntityRecords(source: ByteSource): Promise<EntityRecords> {
  const bad = (what: string) => new InputError(`${source.name}: ${what}`);
  if (source.size < headBytes) throw bad('not a file of entity records');
  const bytes = await source.read(0, headBytes);
  const view = new DataView(bytes.buffer);
  if (new TextDecoder('latin1').decode(bytes.subarray(0, 8)) !== magic)
    throw bad('not a file of entity records');
  const found = view.getUint32(8, true);
  if (found !== version) throw bad(`expected version ${version} of entity records, found ${found}`);
  if (view.getUint32(12, true) !== crc32(bytes.subarray(16)))
    throw bad('its head is damaged (wrong checksum)');
  const [count, size, offsets, buckets, names, bucketCount] = Array.from({ length: 6 }, (_, i) =>
    Number(view.getBigUint64(16 + 8 * i, true)),
  ) as [number, number, number, number, number, number];
  if (size !== source.size) throw bad(`expected ${size} bytes, found ${source.size} (cut off?)`);
  return new EntityRecords(source, { count, size, offsets, buckets, names, bucketCount });
}

interface Head {
  count: number;
  /** Bytes of the file. */
  size: number;
  offsets: number;
  buckets: number;
  names: number;
  bucketCount: number;
}

/**
 * Writes the entities' records in their order under a temporary name, and renames it to `path`; gives their number. Memory
 * is 8 bytes an entity and 16 a name while it writes. Throws InputError when the file cannot be written; errors of
 * `entities` pass through.
 */
export async function writeEntityRecords(
  path: string,
  entities: AsyncIterable<EntityRecord> | Iterable<EntityRecord>,
): Promise<number> {
  const offsets = new NumberList(Float64Array);
  const hashes = new NumberList(Uint32Array);
  const rows = new NumberList(Uint32Array);
  await writeFileAtomically(path, async (append, patch) => {
    const encoder = new TextEncoder();
    const out = new Pieces(append);
    await out.add(new Uint8Array(headBytes));
    for await (const { qid, name, aliases, attributes, images } of entities) {
      const row = offsets.length;
      offsets.push(out.length);
      const text = encoder.encode(JSON.stringify([qid, name, aliases, attributes, images]));
      await out.add(u32(crc32(text)));
      await out.add(text);
      for (const plain of new Set([name, ...aliases].map(plainName))) {
        if (plain === '') continue;
        hashes.push(crc32(encoder.encode(plain)));
        rows.push(row);
      }
    }
    const count = offsets.length;
    offsets.push(out.length);
    const places: number[] = [];
    // Numbers stand where a view of their kind may begin.
    await out.add(new Uint8Array(-out.length & 7));
    places.push(out.length);
    await out.add(bytesOf(BigUint64Array.from(offsets.values(), BigInt)));
    const { buckets, names } = sortNames(hashes.values(), rows.values());
    for (const part of [buckets, names]) {
      places.push(out.length);
      await out.add(bytesOf(part));
    }
    await out.flush();
    await patch(0, headOf([count, out.length, ...places, buckets.length / 2 - 1]));
  });
  return offsets.length - 1;
}

/** Names by bucket, each bucket's in the order of the rows, and where each bucket begins with the checksum of its names. */
function sortNames(hashes: Uint32Array, rows: Uint32Array) {
  const bucketCount = Math.max(1, Math.ceil(hashes.length / bucketNames));
  const starts = new Uint32Array(bucketCount + 1);
  for (const hash of hashes) starts[(hash % bucketCount) + 1]!++;
  for (let bucket = 0; bucket < bucketCount; bucket++) starts[bucket + 1]! += starts[bucket]!;
  const names = new Uint32Array(2 * hashes.length);
  const next = starts.slice();
  hashes.forEach((hash, i) => {
    const at = next[hash % bucketCount]!++;
    names[2 * at] = hash;
    names[2 * at + 1] = rows[i]!;
  });
  const buckets = new Uint32Array(2 * (bucketCount + 1));
  starts.forEach((start, bucket) => {
    buckets[2 * bucket] = start;
    if (bucket < bucketCount) {
      buckets[2 * bucket + 1] = crc32(bytesOf(names.subarray(2 * start, 2 * starts[bucket + 1]!)));
    }
  });
  return { buckets, names };
}

function headOf(numbers: readonly number[]): Uint8Array {
  const head = new Uint8Array(headBytes);
  const view = new DataView(head.buffer);
  head.set(new TextEncoder().encode(magic));
  view.setUint32(8, version, true);
  numbers.forEach((number, i) => {
    view.setBigUint64(16 + 8 * i, BigInt(number), true);
  });
  view.setUint32(12, crc32(head.subarray(16)), true);
  return head;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Every platform that this runs on is little-endian. */
function bytesOf(numbers: ArrayBufferView): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Gathers small parts, so that the file is written in few calls. */
class Pieces {
  length = 0;
  #append: (bytes: Uint8Array) => Promise<void>;
  #piece = new Uint8Array(pieceBytes);
  #filled = 0;

  constructor(append: (bytes: Uint8Array) => Promise<void>) {
    this.#append = append;
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.length += bytes.length;
    if (this.#filled + bytes.length > pieceBytes) await this.flush();
    if (bytes.length > pieceBytes) return this.#append(bytes);
    this.#piece.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  async flush(): Promise<void> {
    if (this.#filled > 0) await this.#append(this.#piece.subarray(0, this.#filled));
    this.#filled = 0;
  }
}

/** A list of numbers that grows without boxing them. */
class NumberList<T extends Float64Array | Uint32Array> {
  length = 0;
  #values: T;
  #make: new (
    length: number,
  ) => T;

  constructor(make: new (length: number) => T) {
    this.#make = make;
    this.#values = new make(1024);
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new this.#make(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  values(): T {
    return this.#values.subarray(0, this.length) as T;
  }
}
