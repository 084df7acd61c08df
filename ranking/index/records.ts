// An entity's record in a shard: all that scoring needs of it, one part after the other, so that an entity is one read. Of
// parts with a row a token its numbers of rows come first (u32 each), then numbers of 4 bytes, of 2 and of 1, each kind in
// the order of the parts' names; rows in int8 have their scales, float16, among those of 2 bytes. A record begins at a
// multiple of 4 bytes.

import { WeightsError } from '../../files/errors.ts';
import type { SideLayout } from '../scorer.ts';
import { type IndexDtype, scalesName, storedAs } from './format.ts';

/** Numbers on the host; float16 as bits. */
export type HostArray =
  | Float32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** Rows of numbers in a record. */
export interface RecordField {
  name: string;
  columns: number;
  bytes: 1 | 2 | 4;
  /** Which of the record's numbers of rows is its; null: it has one row. */
  counted: number | null;
}

export interface RecordForm {
  /** How many numbers of rows a record begins with. */
  counts: number;
  /** In the order of their bytes. */
  fields: readonly RecordField[];
}

const bytesOf = { F32: 4, F16: 2, I8: 1 } as const;

/** How records of a layout are stored in an index of a dtype. */
export function recordForm(layout: SideLayout, dtype: IndexDtype): RecordForm {
  const names = Object.keys(layout).sort();
  const ofTokens = names.filter((name) => layout[name]!.rows === 'token');
  const fields = names.flatMap((name): RecordField[] => {
    const part = layout[name]!;
    const type = storedAs(part, dtype);
    const counted = part.rows === 'token' ? ofTokens.indexOf(name) : null;
    const field = { name, columns: part.columns, bytes: bytesOf[type], counted };
    return type === 'I8' ? [field, { name: scalesName(name), columns: 1, bytes: 2, counted }] : [field];
  });
  // Sorting keeps the order of equals.
  return { counts: ofTokens.length, fields: fields.sort((a, b) => b.bytes - a.bytes) };
}

/** Records one after the other. */
export interface Records {
  bytes: Uint8Array<ArrayBuffer>;
  /** Where each begins and where the last one ends, in words of 4 bytes from `base` on: [entities + 1]. */
  starts: Int32Array;
  base: number;
}

/**
 * Makes records of entities. `arrays`: by field its rows, of one entity after the other; `offsets`: by part with a row a
 * token, where each entity's rows begin, [entities + 1].
 */
export function packRecords(
  { counts, fields }: RecordForm,
  arrays: Readonly<Record<string, { data: HostArray }>>,
  offsets: Readonly<Record<string, Int32Array>>,
  entities: number,
): Records {
  const starts = new Int32Array(entities + 1);
  const ofTokens = Object.keys(offsets).sort();
  const rowsOf = ({ counted }: RecordField, entity: number): [first: number, end: number] => {
    if (counted === null) return [entity, entity + 1];
    const own = offsets[ofTokens[counted]!]!;
    return [own[entity]!, own[entity + 1]!];
  };
  for (let e = 0; e < entities; e++) {
    let bytes = 4 * counts;
    for (const field of fields) {
      const [first, end] = rowsOf(field, e);
      bytes += (end - first) * field.columns * field.bytes;
    }
    starts[e + 1] = starts[e]! + Math.ceil(bytes / 4);
  }
  const bytes = new Uint8Array(4 * starts[entities]!);
  const words = new Uint32Array(bytes.buffer);
  for (let e = 0; e < entities; e++) {
    for (const [i, name] of ofTokens.entries()) {
      words[starts[e]! + i] = offsets[name]![e + 1]! - offsets[name]![e]!;
    }
    let at = 4 * (starts[e]! + counts);
    for (const field of fields) {
      const { data } = arrays[field.name]!;
      const [first, end] = rowsOf(field, e).map((row) => row * field.columns * field.bytes) as [
        number,
        number,
      ];
      bytes.set(new Uint8Array(data.buffer, data.byteOffset + first, end - first), at);
      at += end - first;
    }
  }
  return { bytes, starts, base: 0 };
}

/** Where the fields of some entities are. */
export class RecordPlaces {
  readonly entities: number;
  readonly #form: RecordForm;
  /** By record of `pieces`, and of each field: the byte where it begins in its piece. */
  readonly #places: Int32Array;
  readonly #rows: Int32Array;
  readonly #pieces: readonly { bytes: Uint8Array<ArrayBuffer>; records: number }[];

  /** Throws WeightsError, which names the file, for records that are not of this form. */
  constructor(file: string, form: RecordForm, pieces: readonly Records[]) {
    const { counts, fields } = form;
    this.#form = form;
    this.#pieces = pieces.map(({ bytes, starts }) => ({ bytes, records: starts.length - 1 }));
    this.entities = this.#pieces.reduce((sum, { records }) => sum + records, 0);
    this.#places = new Int32Array(this.entities * fields.length);
    this.#rows = new Int32Array(this.entities * counts);
    let entity = 0;
    for (const { bytes, starts, base } of pieces) {
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
      for (let i = 0; i + 1 < starts.length; i++, entity++) {
        const [first, end] = [starts[i]! - base, 4 * (starts[i + 1]! - base)];
        for (let c = 0; c < counts; c++) this.#rows[entity * counts + c] = words[first + c]!;
        let at = 4 * (first + counts);
        for (let f = 0; f < fields.length; f++) {
          const { columns, bytes, counted } = fields[f]!;
          this.#places[entity * fields.length + f] = at;
          at += (counted === null ? 1 : words[first + counted]!) * columns * bytes;
        }
        if (at > end || at + 4 <= end) {
          throw new WeightsError(
            `${file}: damaged: a record of ${end - 4 * first} bytes does not hold what it says`,
          );
        }
      }
    }
  }

  /** Whether it has rows of a part for each token; where each entity's begin then, [entities + 1]. */
  offsets(name: string): Int32Array<ArrayBuffer> | null {
    const { counts } = this.#form;
    const { counted } = this.#field(name);
    if (counted === null) return null;
    const offsets = new Int32Array(this.entities + 1);
    for (let e = 0; e < this.entities; e++) offsets[e + 1] = offsets[e]! + this.#rows[e * counts + counted]!;
    return offsets;
  }

  /** The rows of a field of all entities together. */
  rows(name: string): number {
    return this.offsets(name)?.at(-1) ?? this.entities;
  }

  /** Calls `take` with each entity's numbers of a field, in order, and the place of the first among those of all. */
  each(name: string, take: (numbers: HostArray, at: number) => void): void {
    const { counts, fields } = this.#form;
    const field = this.#field(name);
    const f = fields.indexOf(field);
    let [entity, at] = [0, 0];
    for (const { bytes, records } of this.#pieces) {
      for (const end = entity + records; entity < end; entity++) {
        const rows = field.counted === null ? 1 : this.#rows[entity * counts + field.counted]!;
        const length = rows * field.columns;
        const place = bytes.byteOffset + this.#places[entity * fields.length + f]!;
        take(numbersAt(bytes.buffer, field, place, length), at);
        at += length;
      }
    }
  }

  #field(name: string): RecordField {
    return this.#form.fields.find((field) => field.name === name)!;
  }
}

function numbersAt(buffer: ArrayBuffer, { bytes }: RecordField, place: number, length: number): HostArray {
  if (bytes === 4) return new Float32Array(buffer, place, length);
  return bytes === 2 ? new Uint16Array(buffer, place, length) : new Int8Array(buffer, place, length);
}
