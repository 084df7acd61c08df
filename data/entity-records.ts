// What an index keeps of its entities besides vectors: names, aliases, attributes and paths of images, in one file that gives
// any row without being read, and the rows of a name. Opening reads 64 bytes; memory does not grow with the knowledge base.
//
//   head      88 bytes: 'DSMIPENT', version, CRC-32 of the rest of the head, then as u64 the number of entities, the bytes of
//             the file, where the offsets begin, and of each table where its buckets begin, its entries, and how many
//             buckets it has
//   records   of each entity the CRC-32 of its row (u32) and text (u32) and its text: JSON, [qid, name, aliases, attributes,
//             images]
//   offsets   u64 [entities + 1]: where each record begins, and where the last one ends
//   keys      a table of hashes (names/hash-table.ts): the rows of each name's key
//   near      another: the rows of what each key shares with its mistyped forms
//
// All numbers are little-endian. Whatever is read is held against its checksum first; that of a record has its row, so that no
// record is taken for another.

import { writeFileAtomically } from '../files/atomic-file.ts';
import type { ByteSource } from '../files/byte-source.ts';
import { crc32 } from '../files/crc32.ts';
import { InputError } from '../files/errors.ts';
import { openSource } from '../files/locate.ts';
import type { Entity } from './entity-mention.ts';
import { bytesOf, NumberList, rowsOfHash, type TablePlace } from './names/hash-table.ts';
import {
  matchName,
  type NameFinder,
  type NameMatch,
  type NameSource,
  NameTablesBuilder,
  nameTables,
} from './names/name-matches.ts';

/** What is kept of an entity. */
export type EntityRecord = Omit<Entity, 'id'>;

const magic = 'DSMIPENT';
const version = 3;
const headBytes = 88;
/** Bytes that are handed to the file at once. */
const pieceBytes = 2 ** 20;
/** Rows that are read at once where all are. */
const rowsAtOnce = 1024;
/** Records of more bytes are no entity's. */
const mostRecordBytes = 2 ** 26;

/** An open file of entity records. */
export class EntityRecords implements NameFinder {
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
    const places = await this.#places(row, 1);
    const [first, end] = places as [number, number];
    return this.#parse(row, await this.#source.read(first, end - first));
  }

  /** The ids of all entities, in the order of their rows. Throws InputError where the file is damaged. */
  async *qids(): AsyncGenerator<string> {
    for (let row = 0; row < this.count; row += rowsAtOnce) {
      const places = await this.#places(row, Math.min(rowsAtOnce, this.count - row));
      const begin = places[0]!;
      const bytes = await this.#source.read(begin, places.at(-1)! - begin);
      for (const [i, first] of places.slice(0, -1).entries()) {
        yield this.#parse(row + i, bytes.subarray(first - begin, places[i + 1]! - begin)).qid;
      }
    }
  }

  /** The names of the rows, and how rows are found by them. */
  get names(): NameSource {
    return {
      rowsOf: (table, hash) => this.#rowsOf(this.#head.tables[nameTables.indexOf(table)]!, hash),
      namesOf: async (row) => {
        const { name, aliases } = await this.read(row);
        return [name, ...aliases];
      },
    };
  }

  /** The rows that a word may name. Throws InputError where the file is damaged. */
  matches(word: string): Promise<NameMatch[]> {
    return matchName(word, this.names);
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #rowsOf(table: TablePlace, hash: number): Promise<Set<number>> {
    const rows = await rowsOfHash(this.#source, table, hash);
    if (rows === null) throw this.#damaged();
    return rows;
  }

  /** Where the records of consecutive rows begin, and where the last one ends. */
  async #places(row: number, rows: number): Promise<number[]> {
    const { offsets } = this.#head;
    const view = new DataView((await this.#source.read(offsets + 8 * row, 8 * (rows + 1))).buffer);
    const places = Array.from({ length: rows + 1 }, (_, i) => Number(view.getBigUint64(8 * i, true)));
    for (const [i, first] of places.slice(0, -1).entries()) {
      const bytes = places[i + 1]! - first - 4;
      const isRight = first >= headBytes && places[i + 1]! <= offsets && bytes >= 2;
      if (!isRight || bytes > mostRecordBytes) throw this.#damaged(row + i);
    }
    return places;
  }

  #parse(row: number, record: Uint8Array): EntityRecord {
    const text = record.subarray(4);
    const sum = new DataView(record.buffer, record.byteOffset).getUint32(0, true);
    if (sum !== recordChecksum(row, text)) throw this.#damaged(row);
    const [qid, name, aliases, attributes, images] = JSON.parse(new TextDecoder().decode(text));
    return { qid, name, aliases, attributes, images };
  }

  #damaged(row?: number): InputError {
    const where = row === undefined ? 'its names' : `entity ${row}`;
    return new InputError(`${this.#source.name}: ${where}: damaged (wrong checksum)`);
  }
}

/** Opens the file of records at a path or an http(s) address; see `readEntityRecords`. */
export async function openEntityRecords(where: string): Promise<EntityRecords> {
  const source = await openSource(where, { scattered: true });
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
  const numbers = Array.from({ length: 9 }, (_, i) => Number(view.getBigUint64(16 + 8 * i, true)));
  const [count, size, offsets, ...places] = numbers as [number, number, number, ...number[]];
  if (size !== source.size) throw bad(`expected ${size} bytes, found ${source.size} (cut off?)`);
  const tables = nameTables.map((_, i) => {
    const [buckets, entries, bucketCount] = places.slice(3 * i, 3 * i + 3) as [number, number, number];
    return { buckets, entries, end: places[3 * (i + 1)] ?? size, bucketCount };
  });
  return new EntityRecords(source, { count, offsets, tables });
}

interface Head {
  count: number;
  offsets: number;
  /** In the order of `nameTables`. */
  tables: readonly TablePlace[];
}

/**
 * Writes the entities' records in their order under a temporary name, and renames it to `path`; gives their number. Memory
 * is 8 bytes an entity and 16 for each form of a name, about as many as it has letters, while it writes. Throws InputError when the file cannot be written; errors of
 * `entities` pass through.
 */
export async function writeEntityRecords(
  path: string,
  entities: AsyncIterable<EntityRecord> | Iterable<EntityRecord>,
): Promise<number> {
  const offsets = new NumberList(Float64Array);
  const tables = new NameTablesBuilder();
  await writeFileAtomically(path, async (append, patch) => {
    const encoder = new TextEncoder();
    const out = new Pieces(append);
    await out.add(new Uint8Array(headBytes));
    for await (const { qid, name, aliases, attributes, images } of entities) {
      const row = offsets.length;
      offsets.push(out.length);
      const text = encoder.encode(JSON.stringify([qid, name, aliases, attributes, images]));
      await out.add(u32(recordChecksum(row, text)));
      await out.add(text);
      tables.add(row, [name, ...aliases]);
    }
    const count = offsets.length;
    offsets.push(out.length);
    const places: number[] = [];
    // Numbers stand where a view of their kind may begin.
    await out.add(new Uint8Array(-out.length & 7));
    places.push(out.length);
    await out.add(bytesOf(BigUint64Array.from(offsets.values(), BigInt)));
    for (const { buckets, entries } of tables.parts()) {
      places.push(out.length, out.length + buckets.byteLength, buckets.length / 2 - 1);
      await out.add(bytesOf(buckets));
      await out.add(bytesOf(entries));
    }
    await out.flush();
    await patch(0, headOf([count, out.length, ...places]));
  });
  return offsets.length - 1;
}

function recordChecksum(row: number, text: Uint8Array): number {
  return crc32(text, crc32(u32(row)));
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
