// Entities of a scoring pass from an index: opening reads its head only, parts of shards are read where they lie, as they
// are needed. Some of its entities can be left out, and others in memory stand after them.

import type { Device } from '../../engine/device.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { unpackHalves } from '../../engine/ops/storage/half.ts';
import { unpackInt8Rows } from '../../engine/ops/storage/int8-rows.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { MissingFileError, WeightsError } from '../../files/errors.ts';
import { isThere, locate, readSmallText } from '../../files/locate.ts';
import { widenHalves } from '../../weights/half.ts';
import type { StoredArray } from '../../weights/safetensors.ts';
import { logitsPart, Mixture, partPrefix } from '../mixture.ts';
import type { AnyScorer, PackedSide } from '../scorer.ts';
import { type EntitySource, readLogits, vectorsAtOnce } from '../sources.ts';
import {
  type Fingerprints,
  headName,
  type IndexHead,
  logitsName,
  noImageName,
  parseHead,
  recordsName,
  retrievalName,
  retrievalStoredAs,
  scalesName,
  storedAs,
} from './format.ts';
import { fromInt8Rows } from './int8-rows.ts';
import type { KeptRows } from './kept-rows.ts';
import { type HostArray, type RecordForm, RecordPlaces, type Records, recordForm } from './records.ts';
import { RetrievalRows } from './retrieval-rows.ts';
import { Scratch } from './scratch.ts';
import { type Shard, ShardFiles } from './shard-files.ts';
import { type EntityChunk, encodeSides, type HostSides } from './shard-writer.ts';

/** Pieces of an index that are read at once: at an address each is a request. */
const readsAtOnce = 8;

/** Entities that are compared together by what is on the device. */
const similaritiesAtOnce = 2 ** 15;

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
  const isFitting =
    JSON.stringify(sorted(head.layout)) === JSON.stringify(sorted(scorer.layout)) &&
    head.retrieval === scorer.retrievalPart;
  if (!isFitting) {
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
    form: recordForm(head.layout, head.dtype),
    retrievalRows:
      head.retrieval !== null && retrievalStoredAs(head.dtype) === 'I8'
        ? new RetrievalRows(scorer.device, head)
        : null,
  };
  return {
    ...entitiesOf(reader, scorer, head.entities, {
      of: (rows) => spansOf(rows.length, (i, put) => putRow(head, rows[i]!, put)),
      range: (first, count) => rangeSpans(head, first, count),
    }),
    head,
    encode: (chunk) => encodeSides(scorer, chunk, head.dtype, [0, chunk.samples.images.length - 1]),
    select(kept, shard, added) {
      const memory = head.shards.length;
      const use: Reader['use'] = (number, body) =>
        number === memory ? body(shard) : files.use(number, body);
      const putOne = (row: number, put: PutPlace) => {
        if (row < kept.count) putRow(head, kept.rowAt(row), put);
        else put(memory, added[row - kept.count]!);
      };
      return entitiesOf({ ...reader, use }, scorer, kept.count + added.length, {
        of: (rows) => spansOf(rows.length, (i, put) => putOne(rows[i]!, put)),
        range: (first, count) => spansOf(count, (i, put) => putOne(first + i, put)),
      });
    },
    async close() {
      await reader.retrievalRows?.release();
      await files.close();
    },
  };
}

/** Where rows are. */
interface Spans {
  of(rows: readonly number[]): Span[];
  range(first: number, count: number): Span[];
}

function entitiesOf(reader: Reader, scorer: AnyScorer, count: number, spans: Spans): EntitySource {
  const { head } = reader;
  const prefixOf = (part: AnyScorer) => (scorer instanceof Mixture ? partPrefix(part) : '');
  return {
    count,
    async load(parts, rows) {
      const made = await withRecords(reader, spans.of(rows), (places) =>
        parts.map((part) => takeSide(reader, part, prefixOf(part), places)),
      );
      // What is written to the device comes before what is computed there, so that it is sent at once.
      return () =>
        made
          .map(({ makeParts, unpack }) => [makeParts(), unpack] as const)
          .map(([parts, unpack]) => unpack(parts));
    },
    async logits(gate, rows) {
      const isShared = !gate.seesEntities;
      if (isShared) return readLogits(gate, 'entity', { inputs: new Map(), images: [] }, []);
      const parts = head.layout[logitsPart]!.columns;
      const values = new Float32Array(rows.length * parts);
      await readArrays(reader, logitsName, parts, spans.of(rows), (part, at) =>
        values.set(part as Float32Array, at),
      );
      return { parts, values, isShared };
    },
    async hasNoImage(rows) {
      const flags = new Uint8Array(rows.length);
      await readArrays(reader, noImageName, 1, spans.of(rows), (part, at) =>
        flags.set(part as Uint8Array, at),
      );
      return flags;
    },
    async loadSimilarities(part, first, count) {
      const own = spans.range(first, count);
      const name = prefixOf(part) + part.retrievalPart;
      if (name === head.retrieval) return readSimilarities(reader, own);
      const make = await withRecords(reader, own, (places) => takePart(reader, name, places));
      return (queries) => matmul(queries, make(), { transposeB: true });
    },
    similaritiesAtOnce: reader.retrievalRows ? similaritiesAtOnce : vectorsAtOnce,
  };
}

interface Reader {
  device: Device;
  head: IndexHead;
  form: RecordForm;
  /** Lets `body` read from a shard. */
  use<T>(shard: number, body: (shard: Shard) => Promise<T>): Promise<T>;
  scratch: Scratch;
  /** Null for an index that stores what retrieval compares in more than int8, or not at all. */
  retrievalRows: RetrievalRows | null;
}

/** Consecutive rows of a shard, counted in it. */
interface Span {
  shard: number;
  first: number;
  count: number;
}

/** Takes the place of the next row. */
type PutPlace = (shard: number, place: number) => void;

/** Puts the place of a row of the index: its shard, and where it is there. */
function putRow({ shard: size }: IndexHead, row: number, put: PutPlace): void {
  const shard = Math.floor(row / size);
  put(shard, row - shard * size);
}

/** Spans of the places of `count` rows; made without an object a row, since there may be a million. */
function spansOf(count: number, place: (i: number, put: PutPlace) => void): Span[] {
  const spans: Span[] = [];
  let last: Span | null = null;
  const put = (shard: number, at: number) => {
    if (last?.shard === shard && last.first + last.count === at) {
      last.count++;
      return;
    }
    last = { shard, first: at, count: 1 };
    spans.push(last);
  };
  for (let i = 0; i < count; i++) place(i, put);
  return spans;
}

/** The same of consecutive rows of the index. */
function rangeSpans({ shard: size }: IndexHead, first: number, count: number): Span[] {
  const spans: Span[] = [];
  for (let row = first; row < first + count; ) {
    const shard = Math.floor(row / size);
    const own = Math.min((shard + 1) * size, first + count) - row;
    spans.push({ shard, first: row - shard * size, count: own });
    row += own;
  }
  return spans;
}

/** Reads the records of some entities, lets `body` look at them, and takes their memory back. */
async function withRecords<T>(
  reader: Reader,
  spans: readonly Span[],
  body: (places: RecordPlaces) => T,
): Promise<T> {
  const { use, form, scratch, head } = reader;
  const sizes = await Promise.all(
    spans.map(({ shard, first, count }) =>
      use(shard, async (open) => {
        const starts = (await open.starts()).subarray(first, first + count + 1);
        return { starts, base: starts[0]!, bytes: 4 * (starts[count]! - starts[0]!) };
      }),
    ),
  );
  const memory = scratch.take(sizes.reduce((sum, { bytes }) => sum + bytes, 0));
  let end = 0;
  const pieces = sizes.map(({ starts, base, bytes }): Records => {
    end += bytes;
    return { starts, base, bytes: memory.subarray(end - bytes, end) };
  });
  // Candidates are a hundred records a mention: a few are read at a time, each into memory that is used again at once, since
  // of what was not read before a piece around it is checked as well.
  let next = 0;
  const readSome = async () => {
    let window = new Uint8Array();
    while (next < spans.length) {
      const number = next++;
      const { base, bytes } = pieces[number]!;
      await use(spans[number]!.shard, async ({ tensors }) => {
        const needed = tensors.neededBytes(recordsName, bytes.length);
        if (window.length < needed) {
          scratch.give(window);
          window = scratch.take(needed);
        }
        bytes.set((await tensors.readInto(recordsName, 4 * base, bytes.length, window)) as Uint8Array);
      });
    }
    scratch.give(window);
  };
  await Promise.all(Array.from({ length: Math.min(readsAtOnce, spans.length) }, readSome));
  const file = head.shards[spans[0]?.shard ?? 0]?.file ?? headName;
  const result = body(new RecordPlaces(file, form, pieces));
  scratch.give(memory);
  return result;
}

interface TakenSide {
  /** Puts the parts on the device. */
  makeParts(): Record<string, Tensor>;
  /** Makes the side of them. */
  unpack(parts: Record<string, Tensor>): unknown;
}

/** Takes the parts of a scorer's sides out of records. */
function takeSide(reader: Reader, scorer: AnyScorer, prefix: string, places: RecordPlaces): TakenSide {
  const offsets: Record<string, Int32Array<ArrayBuffer>> = {};
  const makes = Object.entries(scorer.layout).map(([name, { planes }]) => {
    const own = places.offsets(prefix + name);
    if (own) offsets[name] = own;
    return [name, takePart(reader, prefix + name, places, planes)] as const;
  });
  return {
    makeParts: () => Object.fromEntries(makes.map(([name, make]) => [name, make()])),
    unpack: (parts) => scorer.unpack({ parts, offsets } satisfies PackedSide),
  };
}

/** Takes rows of a part; what comes back puts them on the device: [rows, columns] f32, or by plane. */
function takePart(reader: Reader, name: string, places: RecordPlaces, planes = 1): () => Tensor {
  const { columns, ...part } = reader.head.layout[name]!;
  const type = storedAs({ columns, ...part }, reader.head.dtype);
  const n = places.rows(name);
  if (type === 'I8') return takeInt8Rows(reader, name, columns, n, places);
  const width = columns / planes;
  const shape = planes === 1 ? [n, columns] : [planes, n, width];
  return takeNumbers(reader, name, shape, type === 'F16', (take) => {
    places.each(name, (numbers, at) => {
      if (planes === 1) return take(numbers, at);
      const row = at / columns;
      for (let p = 0; p < planes; p++) {
        take(numbers.subarray(p * width, (p + 1) * width), (p * n + row) * width);
      }
    });
  });
}

/** `each`: gives the numbers in pieces, and the place of each piece among all. */
function takeNumbers(
  { device, scratch }: Reader,
  name: string,
  shape: readonly number[],
  isHalf: boolean,
  each: (take: (numbers: HostArray, at: number) => void) => void,
): () => Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  // Halves go to a GPU two a word; a device that is this CPU would take longer to unpack them than a table does here.
  if (isHalf && !device.isCpu) {
    const halves = new Uint16Array(2 * Math.ceil(size / 2));
    each((numbers, at) => halves.set(numbers, at));
    const words = new Uint32Array(halves.buffer);
    return () => unpackHalves(device.tensor([words.length], words, { name }), shape);
  }
  const memory = scratch.take(4 * size);
  const data = new Float32Array(memory.buffer, 0, size);
  each((numbers, at) => {
    if (isHalf) widenHalves(numbers as Uint16Array, data.subarray(at));
    else data.set(numbers, at);
  });
  return () => {
    const tensor = device.tensor(shape, data, { name });
    scratch.give(memory);
    return tensor;
  };
}

/** The same of rows in int8. */
function takeInt8Rows(
  { device, scratch }: Reader,
  name: string,
  width: number,
  n: number,
  places: RecordPlaces,
): () => Tensor {
  const scales = new Float32Array(n);
  places.each(scalesName(name), (halves, at) => widenHalves(halves as Uint16Array, scales.subarray(at)));
  if (device.isCpu) {
    const memory = scratch.take(4 * n * width);
    const data = new Float32Array(memory.buffer, 0, n * width);
    places.each(name, (numbers, at) => {
      const row = at / width;
      const own = scales.subarray(row, row + numbers.length / width);
      fromInt8Rows(numbers as Int8Array, own, width, data.subarray(at));
    });
    return () => {
      const tensor = device.tensor([n, width], data, { name });
      scratch.give(memory);
      return tensor;
    };
  }
  const values = new Int8Array(4 * Math.ceil((n * width) / 4));
  places.each(name, (numbers, at) => values.set(numbers, at));
  const words = new Uint32Array(values.buffer);
  return () =>
    unpackInt8Rows(device.tensor([words.length], words, { name }), device.tensor([n], scales), width);
}

/** Reads what retrieval compares of some entities; see `loadSimilarities`. */
async function readSimilarities(
  reader: Reader,
  spans: readonly Span[],
): Promise<(queries: Tensor) => Tensor> {
  const { head, device, use, retrievalRows } = reader;
  const n = rowsIn(spans);
  if (!retrievalRows) {
    const width = head.layout[head.retrieval!]!.columns;
    const pieces: (readonly [HostArray, number])[] = [];
    await readArrays(reader, retrievalName, width, spans, (numbers, at) =>
      pieces.push([numbers as HostArray, at]),
    );
    const isHalf = retrievalStoredAs(head.dtype) === 'F16';
    const make = takeNumbers(reader, retrievalName, [n, width], isHalf, (take) => {
      for (const piece of pieces) take(...piece);
    });
    return (queries) => matmul(queries, make(), { transposeB: true });
  }
  const products = await Promise.all(
    spans.map(({ shard, first, count }) =>
      use(shard, (open) => retrievalRows.load(shard, open, first, count)),
    ),
  );
  return (queries) => {
    const all = device.empty([queries.shape[0]!, n], 'f32', 'similarities');
    let at = 0;
    for (const [i, add] of products.entries()) {
      add(queries, all, at);
      at += spans[i]!.count;
    }
    return all;
  };
}

function rowsIn(spans: readonly Span[]): number {
  return spans.reduce((sum, { count }) => sum + count, 0);
}

/** Reads the rows of each span; `take` is given its elements and the place of the first among those of all spans. */
async function readArrays(
  { use }: Reader,
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
        take(await tensors.read(name, first * width, count * width), to);
      });
    }),
  );
}
