// What dense retrieval compares of an index's entities, in int8 on the device: all mentions look at all of it, so it stays there
// as far as there is room, and is read once.

import type { Device } from '../../engine/device.ts';
import { type Int8Rows, int8Products } from '../../engine/ops/storage/int8-rows.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { widenHalves } from '../../weights/half.ts';
import { type IndexHead, retrievalName, scalesName } from './format.ts';
import type { Shard } from './shard-files.ts';

/** Bytes that stay on the device, at most: half a million entities by 512 numbers. Other shards are read each time. */
const mostBytes = 2 ** 28;

export class RetrievalRows {
  readonly #device: Device;
  readonly #width: number;
  readonly #stays: (shard: number) => boolean;
  readonly #kept = new Map<number, Promise<Int8Rows>>();

  /** For an index that stores these rows in int8. */
  constructor(device: Device, head: IndexHead) {
    this.#device = device;
    this.#width = head.layout[head.retrieval!]!.columns;
    const shardBytes = head.shard * (this.#width + 4);
    // Entities in memory change, and are the last.
    this.#stays = (shard) => shard < head.shards.length && (shard + 1) * shardBytes <= mostBytes;
  }

  /**
   * Reads the rows of a shard, where they are not on the device. What comes back adds products of queries [M, width] with
   * `count` rows from number `first` on to the columns of [M, N] from number `at` on, in the caller's scope.
   */
  async load(
    shard: number,
    open: Shard,
    first: number,
    count: number,
  ): Promise<(queries: Tensor, products: Tensor, at: number) => void> {
    if (!this.#stays(shard)) {
      const read = await this.#read(open, first, count);
      return (queries, products, at) => int8Products(queries, read(), { first: 0, count, at }, products);
    }
    const kept = this.#kept.get(shard) ?? this.#read(open).then((make) => make());
    this.#kept.set(shard, kept);
    try {
      const rows = await kept;
      return (queries, products, at) => int8Products(queries, rows, { first, count, at }, products);
    } catch (error) {
      this.#kept.delete(shard);
      throw error;
    }
  }

  /** Nobody may load meanwhile. */
  async release(): Promise<void> {
    for (const kept of this.#kept.values()) {
      const rows = await kept.catch(() => null);
      for (const tensor of [rows?.words, rows?.scales]) tensor?.release();
    }
    this.#kept.clear();
  }

  async #read({ tensors }: Shard, first = 0, count?: number): Promise<() => Int8Rows> {
    const width = this.#width;
    const part = (name: string, width: number) =>
      tensors.read(name, first * width, count === undefined ? undefined : count * width);
    const [values, halves] = await Promise.all([
      part(retrievalName, width),
      part(scalesName(retrievalName), 1),
    ]);
    const scales = new Float32Array(halves.length);
    widenHalves(halves as Uint16Array, scales);
    const words = inWords(values as Int8Array<ArrayBuffer>, width);
    const [rows, W] = [scales.length, Math.ceil(width / 4)];
    return () => ({
      words: this.#device.tensor([rows, W], words, { name: retrievalName }),
      scales: this.#device.tensor([rows], scales),
    });
  }
}

/** Rows of which each begins with a word of its own. */
function inWords(values: Int8Array<ArrayBuffer>, width: number): Uint32Array<ArrayBuffer> {
  if (width % 4 === 0 && values.byteOffset % 4 === 0) {
    return new Uint32Array(values.buffer, values.byteOffset, values.length / 4);
  }
  const rows = values.length / width;
  const stride = 4 * Math.ceil(width / 4);
  const padded = new Int8Array(rows * stride);
  for (let r = 0; r < rows; r++) padded.set(values.subarray(r * width, (r + 1) * width), r * stride);
  return new Uint32Array(padded.buffer);
}
