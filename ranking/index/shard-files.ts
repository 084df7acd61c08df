// The files of an index: opened when something of them is asked for, checked before anything of them is used, and closed
// when others were asked for since.

import { MissingFileError, WeightsError } from '../../files/errors.ts';
import { locate } from '../../files/locate.ts';
import { openSafetensors, type Safetensors } from '../../weights/safetensors.ts';
import { logitsPart } from '../mixture.ts';
import {
  type IndexHead,
  logitsName,
  noImageName,
  recordsName,
  retrievalName,
  retrievalStoredAs,
  type ShardInfo,
  scalesName,
  startsName,
} from './format.ts';

/** What is read of a shard: of a file, or of entities in memory (added-shard.ts). */
export interface Shard {
  tensors: Pick<Safetensors, 'read' | 'readInto' | 'neededBytes'>;
  /** Where each entity's record begins, in words of 4 bytes, [count + 1]; read when first asked for. */
  starts(): Promise<Int32Array<ArrayBuffer>>;
}

/** What of an index's head its shards depend on. */
export type ShardHead = Pick<IndexHead, 'layout' | 'retrieval' | 'dtype'>;

/** An open file. */
interface OpenShard extends Shard {
  close(): Promise<void>;
}

/** Shards that stay open: candidates are read from all over a knowledge base, and opening a shard is a hundred reads. */
const mostOpen = 256;

export class ShardFiles {
  readonly #folder: string;
  readonly #head: IndexHead;
  #most: number;
  /** The least recently used first. */
  readonly #open = new Map<number, { shard: Promise<OpenShard>; users: number }>();

  constructor(folder: string, head: IndexHead, most = mostOpen) {
    this.#folder = folder;
    this.#head = head;
    this.#most = most;
  }

  /** Lets `body` read from a shard. Throws WeightsError for a file that is missing, damaged or of another index. */
  async use<T>(number: number, body: (shard: Shard) => Promise<T>): Promise<T> {
    const found = this.#open.get(number) ?? { shard: this.#openShard(number), users: 0 };
    this.#open.delete(number);
    this.#open.set(number, found);
    found.users++;
    try {
      return await body(await found.shard);
    } catch (error) {
      // A shard that could not be opened is tried again.
      if (this.#open.get(number) === found && (await isRejected(found.shard))) this.#open.delete(number);
      throw error;
    } finally {
      found.users--;
      if (this.#open.size > this.#most) await this.#closeUnused(this.#most);
    }
  }

  /** Closes all files; those that somebody still reads, as after another's failure, once that is over. */
  close(): Promise<void> {
    this.#most = 0;
    return this.#closeUnused(0);
  }

  async #closeUnused(most: number): Promise<void> {
    const closing: Promise<void>[] = [];
    for (const [number, { shard, users }] of this.#open) {
      if (this.#open.size <= most) break;
      if (users > 0) continue;
      this.#open.delete(number);
      closing.push(shard.then((open) => open.close()));
    }
    await Promise.all(closing);
  }

  async #openShard(number: number): Promise<OpenShard> {
    const info = this.#head.shards[number]!;
    const path = locate(this.#folder, info.file);
    const file = await openSafetensors(path).catch((error: unknown) => {
      if (!(error instanceof MissingFileError)) throw error;
      throw new MissingFileError(`${error.message}; was the index built again since it was opened?`);
    });
    try {
      checkShard(path, file, this.#head, info);
      let known: Promise<Int32Array<ArrayBuffer>> | null = null;
      const starts = () => {
        known ??= readStarts(path, file);
        return known;
      };
      return { tensors: file, starts, close: () => file.close() };
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

/** Holds a shard's tensors against what the head says. Throws WeightsError. */
export function checkShard(
  path: string,
  file: Safetensors,
  { layout, retrieval, dtype }: ShardHead,
  { file: name, first, count }: ShardInfo,
): void {
  const { metadata } = file;
  const isMeant =
    metadata['shard'] === name && metadata['first'] === `${first}` && metadata['count'] === `${count}`;
  if (!isMeant) throw new WeightsError(`${path}: is not the shard that index.json means`);
  const expect = (tensor: string, type: string, shape: readonly (number | null)[]) => {
    const found = file.info(tensor);
    const fits =
      found.dtype === type &&
      found.shape.length === shape.length &&
      shape.every((n, i) => n === null || n === found.shape[i]);
    if (fits) return;
    throw new WeightsError({
      file: path,
      field: `tensor '${tensor}'`,
      expected: `${type} [${shape.map((n) => n ?? '.')}]`,
      found: `${found.dtype} [${found.shape}]`,
    });
  };
  expect(recordsName, 'U8', [null]);
  expect(startsName, 'I32', [count + 1]);
  expect(noImageName, 'U8', [count]);
  if (retrieval !== null) {
    const type = retrievalStoredAs(dtype);
    expect(retrievalName, type, [count, layout[retrieval]!.columns]);
    if (type === 'I8') expect(scalesName(retrievalName), 'F16', [count, 1]);
  }
  if (layout[logitsPart]) expect(logitsName, 'F32', [count, layout[logitsPart].columns]);
}

async function readStarts(path: string, file: Safetensors): Promise<Int32Array<ArrayBuffer>> {
  const starts = await file.readIntegers(startsName);
  const [bytes] = file.info(recordsName).shape;
  const isRising = starts.every((start, i) => start >= (i === 0 ? 0 : starts[i - 1]!));
  if (starts[0] !== 0 || 4 * starts.at(-1)! !== bytes || !isRising) {
    throw new WeightsError({
      file: path,
      field: `tensor '${startsName}'`,
      expected: `rising numbers from 0 to ${bytes! / 4}`,
    });
  }
  return starts;
}

function isRejected(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}
