// Rows by the hash of a text, in two parts of a file or of memory that are read by range:
//
//   buckets   u32 [buckets + 1, 2]: the number of the first entry of each bucket, and the CRC-32 of the bucket's number and
//             entries
//   entries   u32 [entries, 2]: a hash, and its row; an entry is in bucket hash % buckets, in the order of the rows
//
// Whatever is read is held against its checksum first.

import { type ByteSource, bytesInMemory } from '../../files/byte-source.ts';
import { crc32 } from '../../files/crc32.ts';
import { joinedBytes } from '../../files/joined-bytes.ts';

/** Entries in a bucket, on average. */
const bucketEntries = 64;

/** Where a table lies in a source. */
export interface TablePlace {
  /** Offsets in bytes. */
  buckets: number;
  entries: number;
  end: number;
  bucketCount: number;
}

/** The hash of a text: FNV-1a over its UTF-16 code units, which needs no bytes of it; tables are made of millions. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // Its low bits, which choose the bucket, take part in the high ones.
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Rows with an entry of this hash, each once; other texts may have the same hash. Null where the table is damaged. */
export async function rowsOfHash(
  source: ByteSource,
  { buckets, entries, end, bucketCount }: TablePlace,
  hash: number,
): Promise<Set<number> | null> {
  const bucket = hash % bucketCount;
  const entry = new Uint32Array((await source.read(buckets + 8 * bucket, 16)).buffer);
  const [first, sum, next] = entry as unknown as [number, number, number];
  const [from, to] = [entries + 8 * first, entries + 8 * next];
  if (first > next || to > end) return null;
  const bytes = await source.read(from, to - from);
  if (bucketChecksum(bucket, bytes) !== sum) return null;
  const found = new Uint32Array(bytes.buffer);
  const rows = new Set<number>();
  for (let i = 0; i < found.length; i += 2) if (found[i] === hash) rows.add(found[i + 1]!);
  return rows;
}

function bucketChecksum(bucket: number, entries: Uint8Array): number {
  return crc32(entries, crc32(bytesOf(Uint32Array.of(bucket))));
}

/** Gathers the entries of a table: 8 bytes each, and as much again when it is made. */
export class HashTableBuilder {
  readonly #hashes = new NumberList(Uint32Array);
  readonly #rows = new NumberList(Uint32Array);

  /** Rows come in ascending order. */
  add(text: string, row: number): void {
    this.#hashes.push(textHash(text));
    this.#rows.push(row);
  }

  /** The table's two parts. */
  parts(): { buckets: Uint32Array<ArrayBuffer>; entries: Uint32Array<ArrayBuffer> } {
    const [hashes, rows] = [this.#hashes.values(), this.#rows.values()];
    const bucketCount = Math.max(1, Math.ceil(hashes.length / bucketEntries));
    const starts = new Uint32Array(bucketCount + 1);
    for (const hash of hashes) starts[(hash % bucketCount) + 1]!++;
    for (let bucket = 0; bucket < bucketCount; bucket++) starts[bucket + 1]! += starts[bucket]!;
    const entries = new Uint32Array(2 * hashes.length);
    const next = starts.slice();
    hashes.forEach((hash, i) => {
      const at = next[hash % bucketCount]!++;
      entries[2 * at] = hash;
      entries[2 * at + 1] = rows[i]!;
    });
    const buckets = new Uint32Array(2 * (bucketCount + 1));
    starts.forEach((start, bucket) => {
      buckets[2 * bucket] = start;
      if (bucket < bucketCount) {
        const own = bytesOf(entries.subarray(2 * start, 2 * starts[bucket + 1]!));
        buckets[2 * bucket + 1] = bucketChecksum(bucket, own);
      }
    });
    return { buckets, entries };
  }
}

/** A table in memory, for `rowsOfHash`. */
export function tableInMemory(
  name: string,
  { buckets, entries }: ReturnType<HashTableBuilder['parts']>,
): [ByteSource, TablePlace] {
  const bytes = joinedBytes([bytesOf(buckets), bytesOf(entries)]);
  const place = {
    buckets: 0,
    entries: buckets.byteLength,
    end: bytes.length,
    bucketCount: buckets.length / 2 - 1,
  };
  return [bytesInMemory(name, bytes), place];
}

/** The bytes of numbers as files have them: every platform that this runs on is little-endian. */
export function bytesOf(numbers: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(numbers.buffer as ArrayBuffer, numbers.byteOffset, numbers.byteLength);
}

/** A list of numbers that grows without boxing them. */
export class NumberList<T extends Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>> {
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
