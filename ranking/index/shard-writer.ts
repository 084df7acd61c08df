// Writes one shard of an index: its entities are encoded a chunk at a time, and only their scoring vectors are kept.

import { firstImage, pickSamples } from '../../encoding/samples.ts';
import type { Device } from '../../engine/device.ts';
import { packHalves, unpackHalves } from '../../engine/ops/half.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { UsageError } from '../../files/errors.ts';
import type { Answering } from '../../link/linking-model.ts';
import type { Session } from '../../link/session.ts';
import type { Dsmip } from '../../model/dsmip/dsmip-model.ts';
import { type Expert, firstImages } from '../../model/dsmip/expert-model.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { type TensorToWrite, writeSafetensors } from '../../weights/write-safetensors.ts';
import { range } from '../sources.ts';
import { type IndexDtype, type StoredVectors, stored } from './format.ts';
import { toInt8Rows } from './int8-rows.ts';

export interface ShardOptions {
  dtype: IndexDtype;
  /** Called with the part that is done, from 0 to 1. */
  progress: (part: number) => void;
}

/** Entities that are encoded together. */
const chunk = 256;

/** Encodes the entities of a shard and writes its file with a stamp. Throws UsageError, WeightsError. */
export async function writeShard(
  session: Session,
  { experts, dsmip }: Answering,
  { dtype, progress }: ShardOptions,
  path: string,
  { first, count }: { first: number; count: number },
  stamp: Readonly<Record<string, string>>,
): Promise<void> {
  const parts = experts.map((): HostVectors[] => []);
  const gates: Float32Array<ArrayBuffer>[] = [];
  for (let from = first; from < first + count; from += chunk) {
    const rows = range(from, Math.min(chunk, first + count - from));
    for (const [i, expert] of experts.entries()) {
      parts[i]!.push(await hostVectors(session, expert, rows, dtype));
    }
    if (dsmip?.by === 'pair') gates.push(await gateShares(session, dsmip, rows));
    progress((from + rows.length - first) / count);
  }
  const tensors: Record<string, TensorToWrite> = {};
  for (const [i, { kind }] of experts.entries()) Object.assign(tensors, shardTensors(kind, parts[i]!));
  if (gates.length > 0) {
    tensors['gate'] = { dtype: 'F32', shape: [count, experts.length], data: joined(gates) };
  }
  await writeSafetensors(path, tensors, stamp);
}

async function gateShares({ device, corpus }: Session, dsmip: Dsmip, rows: readonly number[]) {
  const images = rows.map((row) => firstImage(corpus.entities, row));
  return device.scope(() => device.read<'f32'>(dsmip.share('entity', { rows, images }, 'train')));
}

/** Numbers on the host; float16 as bits. */
type HostArray = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int8Array<ArrayBuffer>;

/** An expert's vectors of a chunk on the host. */
interface HostVectors {
  first: Int32Array | null;
  arrays: Record<string, { data: HostArray; width: number }>;
}

async function hostVectors(
  { device, corpus, features }: Session,
  expert: Expert,
  rows: readonly number[],
  dtype: IndexDtype,
): Promise<HostVectors> {
  const samples = pickSamples(corpus.entities, rows);
  const { each, distinct } = firstImages(samples);
  const tables = await expert.tables('entity', samples, distinct, { ...features, cache: '' });
  const rounded = (x: Tensor) => (dtype === 'float32' ? x : unpackHalves(packHalves(x), x.shape));
  const { first, reads } = device.scope(() => {
    const vectors = expert.entityVectors(tables, [...rows.keys()], each, rounded);
    const form = stored(vectors);
    return { first: vectors.text?.offsets ?? null, reads: readsOf(device, form, dtype) };
  });
  const arrays: HostVectors['arrays'] = {};
  for (const { name, data, width } of (await Promise.all(reads)).flat()) {
    arrays[name] = { data, width };
    if (data instanceof Uint16Array && data.some((half) => (half & 0x7c00) === 0x7c00)) {
      throw new UsageError(
        `${expert.kind} expert: a vector of entities ${rows[0]} to ${rows.at(-1)} is not finite or over what ` +
          'float16 holds; use --dtype float32',
      );
    }
  }
  return { first, arrays };
}

/** Starts reading all tensors: scalars as float32, queries as `dtype`, the others as that or float16 at least. */
function readsOf(device: Device, form: StoredVectors, dtype: IndexDtype) {
  return Object.entries(form).map(([name, tensor]: [string, Tensor]) => {
    const width = tensor.shape[1]!;
    const isInt8 = dtype === 'int8' && name === 'queries';
    if (isInt8 || dtype === 'float32' || name === 'scalars') {
      return device.read<'f32'>(tensor).then((data) => {
        if (!isInt8) return [{ name, data: data as HostArray, width }];
        const { values, scales } = toInt8Rows(data, width);
        return [
          { name, data: values, width },
          { name: 'queryScales', data: scales, width: 1 },
        ];
      });
    }
    const words = device.read<'u32'>(packHalves(tensor));
    return words.then(({ buffer }) => [{ name, data: new Uint16Array(buffer, 0, tensor.size), width }]);
  });
}

function shardTensors(kind: ExpertKind, parts: readonly HostVectors[]): Record<string, TensorToWrite> {
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, { width }] of Object.entries(parts[0]!.arrays)) {
    const data = joined(parts.map((part) => part.arrays[name]!.data));
    tensors[`${kind}.${name}`] = { dtype: dtypeOf(data), shape: [data.length / width, width], data };
  }
  if (parts[0]!.first) {
    const first = joinedStarts(parts.map((part) => part.first!));
    tensors[`${kind}.first`] = { dtype: 'I32', shape: [first.length], data: first };
  }
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

function joinedStarts(parts: readonly Int32Array[]): Int32Array<ArrayBuffer> {
  const starts = [0];
  for (const part of parts) {
    const before = starts.at(-1)!;
    for (const start of part.subarray(1)) starts.push(before + start);
  }
  return Int32Array.from(starts);
}
