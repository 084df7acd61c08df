// Entities of a scoring pass from a run's index: parts of shards are read where they lie, as they are needed.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../../data/read-text.ts';
import type { Device } from '../../engine/device.ts';
import { unpackHalves } from '../../engine/ops/half.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { ExpertKind } from '../../model/experts.ts';
import type { Run } from '../../train/run.ts';
import { WeightsError } from '../../weights/errors.ts';
import { widenHalves } from '../../weights/half.ts';
import type { Answering } from '../linking/answering.ts';
import type { GateShares } from '../scoring/gate-shares.ts';
import { type EntitySource, globalExpert } from '../scoring/sources.ts';
import { withoutImage } from '../scoring/split.ts';
import { belongsTo, indexFolder } from './belongs.ts';
import { type IndexHead, restored, type StoredVectors } from './format.ts';
import { openShard, parseHead, type Shard } from './shards.ts';

export interface IndexSource extends EntitySource {
  head: IndexHead;
  close(): Promise<void>;
}

export function hasIndex(run: string): boolean {
  return existsSync(join(indexFolder(run), 'index.json'));
}

/** Opens RUN/index. Throws WeightsError, one line, for an index that is missing, damaged or made of something else. */
export async function openIndex(run: Run, folder: string, chosen: Answering): Promise<IndexSource> {
  const path = join(indexFolder(folder), 'index.json');
  if (!existsSync(path)) throw new WeightsError(`${path}: no such file; node eval/index.ts makes an index`);
  const head = parseHead(path, await readText(path));
  if (head.belongs !== (await belongsTo(run, folder, chosen))) {
    throw new WeightsError(
      `${path}: belongs to other weights, settings or data than the run has now; build it again: node eval/index.ts`,
    );
  }
  const shards: Shard[] = [];
  try {
    for (const shard of head.shards)
      shards.push(await openShard(join(indexFolder(folder), shard.file), head, shard, chosen));
    const gate = await gateOf(head, shards);
    return sourceOf(run, head, shards, chosen, gate);
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
  { device, corpus }: Run,
  head: IndexHead,
  shards: readonly Shard[],
  { experts }: Answering,
  gate: GateShares | null,
): IndexSource {
  const isHalf = head.dtype === 'float16';
  return {
    head,
    count: head.entities,
    gate,
    imageless: withoutImage(corpus.entities.images),
    async load(rows, asked) {
      const spans = spansOf(shards, rows);
      const made = await Promise.all(
        experts.map(({ kind, config }, i) =>
          asked[i] ? readExpert(device, kind, config.hidden, spans, isHalf) : null,
        ),
      );
      return () => made.map((make) => make?.(device) ?? null);
    },
    async loadGlobals(rows) {
      const { kind } = experts[globalExpert(experts.map(({ kind }) => kind))]!;
      const read = await readRows(device, `${kind}.global`, spansOf(shards, rows), isHalf);
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
  isHalf: boolean,
) {
  const hasText = kind !== 'visual';
  const [rows, scalars, global, queries] = await Promise.all([
    readRows(device, `${kind}.rows`, spans, isHalf),
    readRows(device, `${kind}.scalars`, spans, false),
    hasText ? readRows(device, `${kind}.global`, spans, isHalf) : null,
    hasText
      ? readRows(
          device,
          `${kind}.queries`,
          spans.map(({ shard, first, count }) => {
            const starts = shard.starts.get(kind)!;
            return { shard, first: starts[first]!, count: starts[first + count]! - starts[first]! };
          }),
          isHalf,
        )
      : null,
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
  const [, width] = spans[0]!.shard.file.info(name).shape as [number, number];
  const n = spans.reduce((sum, { count }) => sum + count, 0);
  // Halves go to a GPU two a word; a device that is this CPU would take longer to unpack them than a table does here.
  const isPacked = isHalf && !isCpu;
  const data = isPacked ? new Uint16Array(2 * Math.ceil((n * width) / 2)) : new Float32Array(n * width);
  let at = 0;
  await Promise.all(
    spans.map(async ({ shard: { file }, first, count }) => {
      const to = at;
      at += count * width;
      const part = await file.read(name, first * width, count * width);
      if (isHalf && !isPacked) widenHalves(part as Uint16Array, data.subarray(to) as Float32Array);
      else data.set(part as typeof data, to);
    }),
  );
  return (device) =>
    data instanceof Uint16Array
      ? unpackHalves(device.tensor([data.length / 2], new Uint32Array(data.buffer), { name }), [n, width])
      : device.tensor([n, width], data, { name });
}
