// Entities in memory as an index has them, for those that came after it was built. It only grows, so that what reads it is
// not disturbed by what is added meanwhile.

import type { StoredArray } from '../../weights/safetensors.ts';
import { noImageName, scalesName } from './format.ts';
import type { Shard } from './shard-files.ts';
import type { HostArray, HostSides } from './shard-writer.ts';

/** Numbers of a tensor in the front part of an array with room behind them. */
interface Grown<T extends HostArray | Int32Array<ArrayBuffer>> {
  data: T;
  length: number;
  width: number;
}

export class AddedShard implements Shard {
  readonly tensors: Shard['tensors'];
  #count = 0;
  readonly #arrays = new Map<string, Grown<HostArray>>();
  readonly #offsets = new Map<string, Grown<Int32Array<ArrayBuffer>>>();

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

  async offsets(part: string): Promise<Int32Array<ArrayBuffer>> {
    const { data, length } = this.#offsets.get(part)!;
    return data.subarray(0, length);
  }

  /** Adds entities that an index encoded; gives the row of the first. */
  append({ offsets, arrays, hasNoImage }: HostSides): number {
    for (const [name, { data, width }] of Object.entries(arrays)) this.#add(name, data, width);
    this.#add(noImageName, hasNoImage, 1);
    for (const [part, own] of Object.entries(offsets)) {
      const known = this.#offsets.get(part) ?? { data: new Int32Array(1), length: 1, width: 1 };
      const before = known.data[known.length - 1]!;
      this.#offsets.set(
        part,
        grown(
          known,
          own.subarray(1).map((offset) => before + offset),
        ),
      );
    }
    this.#count += hasNoImage.length;
    return this.#count - hasNoImage.length;
  }

  /** Another of these rows alone, in this order. */
  picked(rows: readonly number[]): AddedShard {
    const other = new AddedShard();
    for (const row of rows) other.append(this.#sidesOf(row));
    return other;
  }

  #sidesOf(row: number): HostSides {
    const offsets: Record<string, Int32Array> = {};
    const tokens = new Map<string, readonly [first: number, end: number]>();
    for (const [part, { data }] of this.#offsets) {
      const [first, end] = [data[row]!, data[row + 1]!];
      offsets[part] = Int32Array.of(0, end - first);
      tokens.set(part, [first, end]).set(scalesName(part), [first, end]);
    }
    const sides: HostSides = { offsets, arrays: {}, hasNoImage: new Uint8Array(1) };
    for (const [name, { data, width }] of this.#arrays) {
      const [first, end] = tokens.get(name) ?? [row, row + 1];
      const own = data.slice(first * width, end * width);
      if (name === noImageName) sides.hasNoImage.set(own);
      else sides.arrays[name] = { data: own, width };
    }
    return sides;
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
