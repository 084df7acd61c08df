// Writes one shard of an index: its entities are encoded a chunk at a time, and only their sides are kept, packed.

import type { FeatureOptions } from '../../encoding/features.ts';
import { firstImages, type Samples } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import { packHalves, unpackHalves } from '../../engine/ops/storage/half.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { UsageError } from '../../files/errors.ts';
import type { Safetensors } from '../../weights/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../../weights/write-safetensors.ts';
import type { AnyScorer } from '../scorer.ts';
import { type IndexDtype, noImageName, offsetsName, type ShardInfo, scalesName, storedAs } from './format.ts';
import { toInt8Rows } from './int8-rows.ts';

/** Entities that are encoded together; images are numbers into the features' files. */
export interface EntityChunk {
  samples: Samples;
  features: FeatureOptions;
  /** Lines on what could not be read of them since the last call. */
  takeProblems?(): string[];
}

/**
 * Encodes entities and writes them as a shard; gives the bytes of its tensors. `problems` are lines on what could not be
 * read of them, collected by the time that all are encoded: the shard keeps them, to be told where it is kept. `onProgress` is called with the entities of
 * the shard that are done. Throws UsageError for numbers that the dtype does not hold, WeightsError.
 */
export async function writeShard(
  scorer: AnyScorer,
  chunks: Iterable<EntityChunk>,
  dtype: IndexDtype,
  path: string,
  shard: ShardInfo,
  problems: ReadonlySet<string>,
  onProgress: (done: number) => void,
): Promise<number> {
  const parts: HostSides[] = [];
  let done = 0;
  for (const chunk of chunks) {
    const entities = [shard.first + done, shard.first + done + chunk.samples.images.length - 1] as const;
    parts.push(await encodeSides(scorer, chunk, dtype, entities));
    done += chunk.samples.images.length;
    onProgress(done);
  }
  const tensors = shardTensors(parts);
  const { file, first, count } = shard;
  await writeSafetensors(path, tensors, {
    shard: file,
    first: `${first}`,
    count: `${count}`,
    ...(problems.size > 0 ? { [problemsName]: [...problems].slice(0, mostProblems).join('\n') } : {}),
  });
  return Object.values(tensors).reduce((sum, { data }) => sum + (data as HostArray).byteLength, 0);
}

/** The note of a shard with what could not be read of its entities, a line each. */
const problemsName = 'problems';
const mostProblems = 100;

/** What could not be read when a shard was made. */
export function problemsOf({ metadata }: Pick<Safetensors, 'metadata'>): string[] {
  return metadata[problemsName]?.split('\n') ?? [];
}

/** Numbers on the host; float16 as bits. */
export type HostArray =
  | Float32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** The sides of a chunk on the host. */
export interface HostSides {
  /** By part with a row a token, [entities + 1]. */
  offsets: Readonly<Record<string, Int32Array>>;
  /** By the tensors' names in a shard, [rows, width]. */
  arrays: Record<string, { data: HostArray; width: number }>;
  hasNoImage: Uint8Array<ArrayBuffer>;
}

/**
 * Encodes entities as an index of a dtype has them; numbers `first` to `last` are what errors call them. Throws UsageError
 * for numbers that the dtype does not hold.
 */
export async function encodeSides(
  scorer: AnyScorer,
  { samples, features }: EntityChunk,
  dtype: IndexDtype,
  [first, last]: readonly [number, number],
): Promise<HostSides> {
  const { each, distinct } = firstImages(samples);
  const inputs = await scorer.prepare('entity', samples, distinct, features);
  const rounded = (x: Tensor) => (dtype === 'float32' ? x : unpackHalves(packHalves(x), x.shape));
  const { offsets, reads } = scorer.device.scope(() => {
    const batch = { inputs, rows: [...each.keys()], images: each };
    const packed = noGrad(() => scorer.pack(scorer.entitySide(batch, rounded)));
    const reads = Object.entries(packed.parts).map(([name, tensor]) =>
      readPart(name, tensor, storedAs(scorer.layout[name]!, dtype)),
    );
    return { offsets: packed.offsets, reads };
  });
  const arrays: HostSides['arrays'] = {};
  for (const { name, data, width } of (await Promise.all(reads)).flat()) {
    arrays[name] = { data, width };
    if (data instanceof Uint16Array && data.some((half) => (half & 0x7c00) === 0x7c00)) {
      throw new UsageError(
        `${scorer.name}: a vector ('${name}') of entities ${first} to ${last} is not finite or over what float16 holds; ` +
          'use the dtype float32',
      );
    }
  }
  const hasNoImage = Uint8Array.from(samples.images, (own) => (own.length === 0 ? 1 : 0));
  return { offsets, arrays, hasNoImage };
}

/** Starts reading a tensor as it is stored. */
async function readPart(name: string, tensor: Tensor, type: ReturnType<typeof storedAs>) {
  const { device, size } = tensor;
  const width = tensor.shape[1]!;
  if (type === 'F16') {
    const { buffer } = await device.read<'u32'>(packHalves(tensor));
    return [{ name, data: new Uint16Array(buffer, 0, size) as HostArray, width }];
  }
  const data: HostArray = await device.read<'f32'>(tensor);
  if (type === 'F32') return [{ name, data, width }];
  const { values, scales } = toInt8Rows(data, width);
  return [
    { name, data: values, width },
    { name: scalesName(name), data: scales, width: 1 },
  ];
}

function shardTensors(parts: readonly HostSides[]): Record<string, TensorToWrite> {
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, { width }] of Object.entries(parts[0]!.arrays)) {
    const data = joined(parts.map((part) => part.arrays[name]!.data));
    tensors[name] = { dtype: dtypeOf(data), shape: [data.length / width, width], data };
  }
  for (const name of Object.keys(parts[0]!.offsets)) {
    const data = joinedOffsets(parts.map((part) => part.offsets[name]!));
    tensors[offsetsName(name)] = { dtype: 'I32', shape: [data.length], data };
  }
  const data = joined(parts.map((part) => part.hasNoImage));
  tensors[noImageName] = { dtype: 'U8', shape: [data.length], data };
  return tensors;
}

function dtypeOf(data: HostArray): TensorToWrite['dtype'] {
  if (data instanceof Int8Array) return 'I8';
  return data instanceof Uint16Array ? 'F16' : 'F32';
}

/** One array of all, of the kind that the first is of. */
function joined<T extends HostArray>(arrays: readonly T[]): T {
  const Type = arrays[0]!.constructor as new (length: number) => T;
  const all = new Type(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

function joinedOffsets(parts: readonly Int32Array[]): Int32Array<ArrayBuffer> {
  const offsets = [0];
  for (const part of parts) {
    const before = offsets.at(-1)!;
    for (const offset of part.subarray(1)) offsets.push(before + offset);
  }
  return Int32Array.from(offsets);
}
