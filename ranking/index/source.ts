// Entities of a scoring pass from an index: opening reads its head only, parts of shards are read where they lie, as they
// are needed. Some of its entities can be left out, and others in memory stand after them.

import type { Device } from '../../engine/device.ts';
import { unpackHalves } from '../../engine/ops/storage/half.ts';
import { unpackInt8Rows } from '../../engine/ops/storage/int8-rows.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { MissingFileError, WeightsError } from '../../files/errors.ts';
import { isThere, locate, readSmallText } from '../../files/locate.ts';
import { widenHalves } from '../../weights/half.ts';
import type { StoredArray } from '../../weights/safetensors.ts';
import { logitsPart, Mixture, partPrefix } from '../mixture.ts';
import type { AnyScorer, PackedSide } from '../scorer.ts';
import { type EntitySource, readLogits } from '../sources.ts';
import {
  type Fingerprints,
  headName,
  type IndexHead,
  noImageName,
  parseHead,
  scalesName,
  storedAs,
} from './format.ts';
import { fromInt8Rows } from './int8-rows.ts';
import type { KeptRows } from './kept-rows.ts';
import { Scratch } from './scratch.ts';
import { type Shard, ShardFiles } from './shard-files.ts';
import { type EntityChunk, encodeSides, type HostSides } from './shard-writer.ts';

/** Numbers of a part from which on it is read into memory that is used again. */
const leastShared = 2 ** 17;

/** Bytes of the longest head: a million shards. */
const mostHeadBytes = 2 ** 28;

export interface IndexSource extends EntitySource {
  head: IndexHead;
  /** Encodes entities as those of the index are. Throws UsageError for numbers that its dtype does not hold. */
  encode(chunk: EntityChunk): Promise<HostSides>;
  /** The rows of the index that are kept, and after them `added`, rows of a shard in memory. */
  select(kept: KeptRows, shard: Shard, added: readonly number[]): EntitySource;
  close(): Promise<void>;
}

export function hasIndex(folder: string): Promise<boolean> {
  return isThere(locate(folder, headName));
}

/** The head of the index in a folder or at an address. Throws WeightsError for one that is missing, damaged or of another version. */
export async function readHead(folder: string): Promise<IndexHead> {
  const path = locate(folder, headName);
  const text = await readSmallText(path, mostHeadBytes).catch((error: unknown) => {
    if (!(error instanceof MissingFileError)) throw error;
    throw new WeightsError(`${path}: no such file; dsmip index builds it`);
  });
  return parseHead(path, text);
}

/**
 * Opens the index in a folder or at an address for a scorer. `fingerprints`: hashes of all that the caller knows of what the
 * index should have been made from; `knownHead`: its head, where that was read already. Throws WeightsError, one line that
 * names the file, for an index that is missing, damaged, of another version, or of something else.
 */
export async function openIndex(
  folder: string,
  scorer: AnyScorer,
  fingerprints: Fingerprints,
  knownHead?: IndexHead,
): Promise<IndexSource> {
  const path = locate(folder, headName);
  const head = knownHead ?? (await readHead(folder));
  if (head.scorer !== scorer.name) {
    throw new WeightsError({
      file: path,
      field: 'scorer',
      expected: scorer.name,
      found: `${head.scorer}; build the index again`,
    });
  }
  for (const [of, hash] of Object.entries(fingerprints)) {
    if (head.fingerprints[of] === hash) continue;
    throw new WeightsError(
      `${path}: belongs to another ${of} than there is now; the index has to be built again`,
    );
  }
  if (JSON.stringify(sorted(head.layout)) !== JSON.stringify(sorted(scorer.layout))) {
    throw new WeightsError(`${path}: layout: does not fit ${scorer.name}; the index has to be built again`);
  }
  return sourceOf(head, new ShardFiles(folder, head), scorer);
}

function sorted(layout: IndexHead['layout']) {
  return Object.entries(layout)
    .map(([name, { columns, rows, precision }]) => [name, columns, rows, precision])
    .sort();
}

function sourceOf(head: IndexHead, files: ShardFiles, scorer: AnyScorer): IndexSource {
  const reader: Reader = {
    device: scorer.device,
    head,
    use: (shard, body) => files.use(shard, body),
    scratch: new Scratch(),
  };
  return {
    ...entitiesOf(reader, scorer, head.entities, (rows) =>
      consecutive(rows.map((row) => placeOf(head, row))),
    ),
    head,
    encode: (chunk) => encodeSides(scorer, chunk, head.dtype, [0, chunk.samples.images.length - 1]),
    select(kept, shard, added) {
      const memory = head.shards.length;
      const use: Reader['use'] = (number, body) =>
        number === memory ? body(shard) : files.use(number, body);
      const placeAt = (row: number) =>
        row < kept.count ? placeOf(head, kept.rowAt(row)) : ([memory, added[row - kept.count]!] as const);
      const spans = (rows: readonly number[]) => consecutive(rows.map(placeAt));
      return entitiesOf({ ...reader, use }, scorer, kept.count + added.length, spans);
    },
    close: () => files.close(),
  };
}

/** `spans`: where some rows are. */
function entitiesOf(
  reader: Reader,
  scorer: AnyScorer,
  count: number,
  spans: (rows: readonly number[]) => Span[],
): EntitySource {
  const { head } = reader;
  const prefixOf = (part: AnyScorer) => (scorer instanceof Mixture ? partPrefix(part) : '');
  return {
    count,
    async load(parts, rows) {
      const places = spans(rows);
      const made = await Promise.all(parts.map((part) => readSide(reader, part, prefixOf(part), places)));
      return () => made.map((make) => make());
    },
    async logits(gate, rows) {
      const isShared = !gate.seesEntities;
      if (isShared) return readLogits(gate, 'entity', { inputs: new Map(), images: [] }, []);
      const parts = head.layout[logitsPart]!.columns;
      const values = await readFloats(reader, logitsPart, spans(rows));
      return { parts, values, isShared };
    },
    async hasNoImage(rows) {
      const flags = new Uint8Array(rows.length);
      await readParts(reader, noImageName, 1, spans(rows), (part, at) => flags.set(part as Uint8Array, at));
      return flags;
    },
    async loadRetrievalVectors(part, rows) {
      return readPart(reader, prefixOf(part) + part.retrievalPart, spans(rows));
    },
  };
}

interface Reader {
  device: Device;
  head: IndexHead;
  /** Lets `body` read from a shard. */
  use<T>(shard: number, body: (shard: Shard) => Promise<T>): Promise<T>;
  scratch: Scratch;
}

/** Consecutive rows of a shard, counted in it. */
interface Span {
  shard: number;
  first: number;
  count: number;
}

/** A row of an index: its shard, and its place there. */
function placeOf({ shard: size }: IndexHead, row: number): readonly [shard: number, place: number] {
  const shard = Math.floor(row / size);
  return [shard, row - shard * size];
}

/** Spans of the places in shards. */
function consecutive(places: readonly (readonly [shard: number, place: number])[]): Span[] {
  const spans: Span[] = [];
  for (const [shard, place] of places) {
    const last = spans.at(-1);
    if (last?.shard === shard && last.first + last.count === place) last.count++;
    else spans.push({ shard, first: place, count: 1 });
  }
  return spans;
}

/** Reads the parts of a scorer's sides; what comes back puts them on the device. */
async function readSide(
  reader: Reader,
  scorer: AnyScorer,
  prefix: string,
  spans: readonly Span[],
): Promise<() => unknown> {
  const offsets: Record<string, Int32Array<ArrayBuffer>> = {};
  const makes = await Promise.all(
    Object.entries(scorer.layout).map(async ([name, { rows }]) => {
      const stored = prefix + name;
      if (rows === 'entity') return [name, await readPart(reader, stored, spans)] as const;
      const tokens = await tokenSpans(reader, stored, spans);
      offsets[name] = tokens.offsets;
      return [name, await readPart(reader, stored, tokens.spans)] as const;
    }),
  );
  return () => {
    const parts: Record<string, Tensor> = {};
    for (const [name, make] of makes) parts[name] = make();
    return scorer.unpack({ parts, offsets } satisfies PackedSide);
  };
}

/** The rows of tokens of entities, and where each entity's begin among them. */
async function tokenSpans(
  { use }: Reader,
  name: string,
  spans: readonly Span[],
): Promise<{ spans: Span[]; offsets: Int32Array<ArrayBuffer> }> {
  const starts = await Promise.all(
    spans.map(({ shard, first, count }) =>
      use(shard, async (open) => (await open.offsets(name)).subarray(first, first + count + 1)),
    ),
  );
  const offsets = [0];
  const tokens = spans.map(({ shard }, i) => {
    const own = starts[i]!;
    for (let e = 1; e < own.length; e++) offsets.push(offsets.at(-1)! + own[e]! - own[e - 1]!);
    return { shard, first: own[0]!, count: own.at(-1)! - own[0]! };
  });
  return { spans: tokens, offsets: Int32Array.from(offsets) };
}

/** Reads rows of a part; what comes back puts them on the device: [rows, columns] f32. */
function readPart(reader: Reader, name: string, spans: readonly Span[]): Promise<() => Tensor> {
  const part = reader.head.layout[name]!;
  const type = storedAs(part, reader.head.dtype);
  return type === 'I8'
    ? readInt8Rows(reader, name, part.columns, spans)
    : readRows(reader, name, part.columns, spans, type === 'F16');
}

function rowsIn(spans: readonly Span[]): number {
  return spans.reduce((sum, { count }) => sum + count, 0);
}

async function readFloats(reader: Reader, name: string, spans: readonly Span[]) {
  const { columns } = reader.head.layout[name]!;
  const data = new Float32Array(rowsIn(spans) * columns);
  await readParts(reader, name, columns, spans, (part, at) => data.set(part as Float32Array, at));
  return data;
}

async function readRows(
  reader: Reader,
  name: string,
  width: number,
  spans: readonly Span[],
  isHalf: boolean,
): Promise<() => Tensor> {
  const { device } = reader;
  const n = rowsIn(spans);
  // Halves go to a GPU two a word; a device that is this CPU would take longer to unpack them than a table does here.
  if (isHalf && !device.isCpu) {
    const halves = new Uint16Array(2 * Math.ceil((n * width) / 2));
    await readParts(reader, name, width, spans, (part, at) => halves.set(part as Uint16Array, at));
    const words = new Uint32Array(halves.buffer);
    return () => unpackHalves(device.tensor([words.length], words, { name }), [n, width]);
  }
  const memory = reader.scratch.take(4 * n * width);
  const data = new Float32Array(memory.buffer, 0, n * width);
  await readParts(reader, name, width, spans, (part, at) => {
    if (isHalf) widenHalves(part as Uint16Array, data.subarray(at));
    else data.set(part as Float32Array, at);
  });
  return () => {
    const tensor = device.tensor([n, width], data, { name });
    reader.scratch.give(memory);
    return tensor;
  };
}

/** The same of rows in int8. */
async function readInt8Rows(
  reader: Reader,
  name: string,
  width: number,
  spans: readonly Span[],
): Promise<() => Tensor> {
  const { device } = reader;
  const n = rowsIn(spans);
  const scales = new Float32Array(n);
  await readParts(reader, scalesName(name), 1, spans, (part, at) =>
    widenHalves(part as Uint16Array, scales.subarray(at)),
  );
  if (device.isCpu) {
    const memory = reader.scratch.take(4 * n * width);
    const data = new Float32Array(memory.buffer, 0, n * width);
    await readParts(reader, name, width, spans, (part, at) => {
      const row = at / width;
      const own = scales.subarray(row, row + part.length / width);
      fromInt8Rows(part as Int8Array, own, width, data.subarray(at));
    });
    return () => {
      const tensor = device.tensor([n, width], data, { name });
      reader.scratch.give(memory);
      return tensor;
    };
  }
  const values = new Int8Array(4 * Math.ceil((n * width) / 4));
  await readParts(reader, name, width, spans, (part, at) => values.set(part as Int8Array, at));
  const words = new Uint32Array(values.buffer);
  return () =>
    unpackInt8Rows(device.tensor([words.length], words, { name }), device.tensor([n], scales), width);
}

/** Reads the rows of each span; `take` is given its elements and the place of the first among those of all spans. */
async function readParts(
  { use, scratch }: Reader,
  name: string,
  width: number,
  spans: readonly Span[],
  take: (part: StoredArray, at: number) => void,
): Promise<void> {
  let at = 0;
  await Promise.all(
    spans.map(({ shard, first, count }) => {
      const to = at;
      at += count * width;
      return use(shard, async ({ tensors }: Shard) => {
        // Candidates are read in a thousand small pieces, all at once.
        if (count * width < leastShared)
          return take(await tensors.read(name, first * width, count * width), to);
        const memory = scratch.take(tensors.neededBytes(name, count * width));
        take(await tensors.readInto(name, first * width, count * width, memory), to);
        scratch.give(memory);
      });
    }),
  );
}
