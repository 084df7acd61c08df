// Entities of a scoring pass from a run's index: parts of shards are read where they lie, as they are needed.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Device } from '../../engine/device.ts';
import { unpackHalves } from '../../engine/ops/storage/half.ts';
import { unpackInt8Rows } from '../../engine/ops/storage/int8-rows.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { WeightsError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';
import type { Answering } from '../../link/linking-model.ts';
import type { Session } from '../../link/session.ts';
import { withoutImage } from '../../link/split.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { widenHalves } from '../../weights/half.ts';
import type { StoredArray } from '../../weights/safetensors.ts';
import type { GateShares } from '../gate-shares.ts';
import { type EntitySource, globalExpert } from '../sources.ts';
import { belongsTo, indexFolder } from './belongs.ts';
import { type IndexDtype, type IndexHead, restored, type StoredVectors } from './format.ts';
import { fromInt8Rows } from './int8-rows.ts';
import { openShard, parseHead, type Shard } from './shards.ts';

export interface IndexSource extends EntitySource {
  head: IndexHead;
  close(): Promise<void>;
}

export function hasIndex(run: string): boolean {
  return existsSync(join(indexFolder(run), 'index.json'));
}

/** Opens RUN/index. Throws WeightsError, one line, for an index that is missing, damaged or made of something else. */
export async function openIndex(session: Session, folder: string, chosen: Answering): Promise<IndexSource> {
  const path = join(indexFolder(folder), 'index.json');
  if (!existsSync(path)) throw new WeightsError(`${path}: no such file; node eval/index.ts makes an index`);
  const head = parseHead(path, await readText(path));
  if (head.belongs !== (await belongsTo(session, folder, chosen))) {
    throw new WeightsError(
      `${path}: belongs to other weights, settings or data than the run has now; build it again: node eval/index.ts`,
    );
  }
  const shards: Shard[] = [];
  try {
    for (const shard of head.shards)
      shards.push(await openShard(join(indexFolder(folder), shard.file), head, shard, chosen));
    const gate = await gateOf(head, shards);
    return sourceOf(session, head, shards, chosen, gate);
  } catch (error) {
    for (const { file } of shards) await file.close();
    throw error;
  }
}

async function gateOf({ entities, gate }: IndexHead, shards: readonly Shard[]): Promise<GateShares | null> {
  if (!gate) return null;
  const { experts, shared } = gate;
  if (shared) return { experts, values: Float32Array.from(shared), isShared: true };
  const values = new Float32Array(entities * experts);
  for (const { file, first } of shards) values.set(await file.readFloats('gate'), first * experts);
  return { experts, values, isShared: false };
}

function sourceOf(
  { device, corpus }: Session,
  head: IndexHead,
  shards: readonly Shard[],
  { experts }: Answering,
  gate: GateShares | null,
): IndexSource {
  return {
    head,
    count: head.entities,
    gate,
    imageless: withoutImage(corpus.entities.images),
    async load(rows, asked) {
      const spans = spansOf(shards, rows);
      const made = await Promise.all(
        experts.map(({ kind, config }, i) =>
          asked[i] ? readExpert(device, kind, config.hidden, spans, head.dtype) : null,
        ),
      );
      return () => made.map((make) => make?.(device) ?? null);
    },
    async loadGlobals(rows) {
      const { kind } = experts[globalExpert(experts.map(({ kind }) => kind))]!;
      const read = await readRows(device, `${kind}.global`, spansOf(shards, rows), head.dtype !== 'float32');
      return () => read(device);
    },
    async close() {
      for (const { file } of shards) await file.close();
    },
  };
}

/** Consecutive entities of a shard, counted in it. */
interface Span {
  shard: Shard;
  first: number;
  count: number;
}

function spansOf(shards: readonly Shard[], rows: readonly number[]): Span[] {
  const spans: Span[] = [];
  const size = shards[0]!.count;
  for (const row of rows) {
    const shard = shards[Math.floor(row / size)]!;
    const last = spans.at(-1);
    const place = row - shard.first;
    if (last?.shard === shard && last.first + last.count === place) last.count++;
    else spans.push({ shard, first: place, count: 1 });
  }
  return spans;
}

type Make<T> = (device: Device) => T;

async function readExpert(
  device: Device,
  kind: ExpertKind,
  h: number,
  spans: readonly Span[],
  dtype: IndexDtype,
) {
  const hasText = kind !== 'visual';
  const isHalf = dtype !== 'float32';
  const [rows, scalars, global, queries] = await Promise.all([
    readRows(device, `${kind}.rows`, spans, isHalf),
    readRows(device, `${kind}.scalars`, spans, false),
    hasText ? readRows(device, `${kind}.global`, spans, isHalf) : null,
    hasText ? readQueries(device, kind, spans, dtype) : null,
  ]);
  const first = hasText ? startsOf(kind, spans) : new Int32Array(0);
  return (device: Device) => {
    const form: StoredVectors = {
      rows: rows(device),
      scalars: scalars(device),
      ...(global && queries ? { global: global(device), queries: queries(device) } : {}),
    };
    return restored(kind, h, form, first);
  };
}

function readQueries(device: Device, kind: ExpertKind, spans: readonly Span[], dtype: IndexDtype) {
  const name = `${kind}.queries`;
  const tokens = spans.map(({ shard, first, count }) => {
    const starts = shard.starts.get(kind)!;
    return { shard, first: starts[first]!, count: starts[first + count]! - starts[first]! };
  });
  return dtype === 'int8'
    ? readInt8Rows(device, name, `${kind}.queryScales`, tokens)
    : readRows(device, name, tokens, dtype === 'float16');
}

function startsOf(kind: ExpertKind, spans: readonly Span[]): Int32Array<ArrayBuffer> {
  const first = [0];
  for (const { shard, first: from, count } of spans) {
    const starts = shard.starts.get(kind)!;
    for (let i = from; i < from + count; i++) first.push(first.at(-1)! + starts[i + 1]! - starts[i]!);
  }
  return Int32Array.from(first);
}

/** Reads rows of a matrix of the shards; what comes back puts them on a device: [rows, width] f32. */
async function readRows(
  { isCpu }: Device,
  name: string,
  spans: readonly Span[],
  isHalf: boolean,
): Promise<Make<Tensor>> {
  const { n, width } = sizeOf(name, spans);
  // Halves go to a GPU two a word; a device that is this CPU would take longer to unpack them than a table does here.
  if (isHalf && !isCpu) {
    const halves = new Uint16Array(2 * Math.ceil((n * width) / 2));
    await readParts(name, spans, (part, at) => halves.set(part as Uint16Array, at));
    const words = new Uint32Array(halves.buffer);
    return (device) => unpackHalves(device.tensor([words.length], words, { name }), [n, width]);
  }
  const data = new Float32Array(n * width);
  await readParts(name, spans, (part, at) => {
    if (isHalf) widenHalves(part as Uint16Array, data.subarray(at));
    else data.set(part as Float32Array, at);
  });
  return (device) => device.tensor([n, width], data, { name });
}

/** The same of rows in int8. */
async function readInt8Rows(
  { isCpu }: Device,
  name: string,
  scalesName: string,
  spans: readonly Span[],
): Promise<Make<Tensor>> {
  const { n, width } = sizeOf(name, spans);
  const scales = new Float32Array(n);
  await readParts(scalesName, spans, (part, at) => widenHalves(part as Uint16Array, scales.subarray(at)));
  if (isCpu) {
    const data = new Float32Array(n * width);
    await readParts(name, spans, (part, at) => {
      const row = at / width;
      const own = scales.subarray(row, row + part.length / width);
      fromInt8Rows(part as Int8Array, own, width, data.subarray(at));
    });
    return (device) => device.tensor([n, width], data, { name });
  }
  const values = new Int8Array(4 * Math.ceil((n * width) / 4));
  await readParts(name, spans, (part, at) => values.set(part as Int8Array, at));
  const words = new Uint32Array(values.buffer);
  return (device) =>
    unpackInt8Rows(device.tensor([words.length], words, { name }), device.tensor([n], scales), width);
}

/** Rows of all spans, and the columns of the matrix. */
function sizeOf(name: string, spans: readonly Span[]): { n: number; width: number } {
  const [, width] = spans[0]!.shard.file.info(name).shape as [number, number];
  return { n: spans.reduce((sum, { count }) => sum + count, 0), width };
}

/** Reads the rows of each span; `take` is given its elements and the place of the first among those of all spans. */
async function readParts(
  name: string,
  spans: readonly Span[],
  take: (part: StoredArray, at: number) => void,
): Promise<void> {
  const { width } = sizeOf(name, spans);
  let at = 0;
  await Promise.all(
    spans.map(async ({ shard: { file }, first, count }) => {
      const to = at;
      at += count * width;
      take(await file.read(name, first * width, count * width), to);
    }),
  );
}
