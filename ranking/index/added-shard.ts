// Entities in memory as an index has them, for those that came after it was built. It only grows, so that what reads it is
// not disturbed by what is added meanwhile.

import type { StoredArray } from '../../weights/safetensors.ts';
import { recordsName } from './format.ts';
import type { HostArray } from './records.ts';
import type { Shard } from './shard-files.ts';
import type { HostSides } from './shard-writer.ts';

/** Numbers of a tensor in the front part of an array with room behind them. */
interface Grown<T extends HostArray | Int32Array<ArrayBuffer>> {
  data: T;
  length: number;
  width: number;
}

export class AddedShard implements Shard {
  readonly tensors: Shard['tensors'];
  #count = 0;
  /** By the tensors' names in a shard, the records among them. */
  readonly #arrays = new Map<string, Grown<HostArray>>();
  #starts: Grown<Int32Array<ArrayBuffer>> = { data: new Int32Array(1), length: 1, width: 1 };

  constructor() {
    const view = (name: string, first: number, count: number): StoredArray => {
      const { data } = this.#arrays.get(name)!;
      return data.subarray(first, first + count);
    };
    this.tensors = {
      read: async (name, first = 0, count = this.#arrays.get(name)!.length - first) =>
        view(name, first, count),
      readInto: async (name, first, count) => view(name, first, count),
      neededBytes: () => 0,
    };
  }

  /** Entities, whether anybody still asks for them or not. */
  get count(): number {
    return this.#count;
  }

  async starts(): Promise<Int32Array<ArrayBuffer>> {
    const { data, length } = this.#starts;
    return data.subarray(0, length);
  }

  /** Adds entities that an index encoded; gives the row of the first. */
  append({ records: { bytes, starts, base }, arrays }: HostSides): number {
    for (const [name, { data, width }] of Object.entries(arrays)) this.#add(name, data, width);
    this.#add(recordsName, bytes, 1);
    const before = this.#starts.data[this.#starts.length - 1]! - base;
    this.#starts = grown(
      this.#starts,
      Int32Array.from(starts.subarray(1), (start) => before + start),
    );
    const first = this.#count;
    this.#count += starts.length - 1;
    return first;
  }

  /** Another of these rows alone, in this order. */
  picked(rows: readonly number[]): AddedShard {
    const other = new AddedShard();
    for (const row of rows) other.append(this.#sidesOf(row));
    return other;
  }

  #sidesOf(row: number): HostSides {
    const starts = this.#starts.data.slice(row, row + 2);
    const base = starts[0]!;
    const arrays: HostSides['arrays'] = {};
    let bytes = new Uint8Array();
    for (const [name, { data, width }] of this.#arrays) {
      if (name === recordsName) bytes = data.slice(4 * base, 4 * starts[1]!) as Uint8Array<ArrayBuffer>;
      else arrays[name] = { data: data.slice(row * width, (row + 1) * width), width };
    }
    return { records: { bytes, starts, base }, arrays };
  }

  #add(name: string, data: HostArray, width: number): void {
    const known = this.#arrays.get(name) ?? { data: data.slice(0, 0), length: 0, width };
    this.#arrays.set(name, grown(known, data));
  }
}

/** With more numbers behind; in an array of twice the size where they do not fit. */
function grown<T extends HostArray | Int32Array<ArrayBuffer>>(
  { data, length, width }: Grown<T>,
  more: T,
): Grown<T> {
  const needed = length + more.length;
  let room = data;
  if (needed > data.length) {
    const Type = data.constructor as new (length: number) => T;
    room = new Type(Math.max(needed, 2 * data.length));
    room.set(data.subarray(0, length));
  }
  room.set(more, length);
  return { data: room, length: needed, width };
}
