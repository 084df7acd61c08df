// Features of frozen encoders: computed once for all texts and images, kept on the host or in a file, and handed to the
// device a batch at a time. Padding is not stored. Where they are kept between runs is feature-cache.ts.

import type { ImageInput } from '../data/images/image-input.ts';
import type { PixelSource } from '../data/images/pixel-source.ts';
import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import type { Tensor } from '../engine/tensor.ts';
import { pickTexts, type TextBatch, type Tokens } from './samples.ts';

/** Where features come from and are kept. */
export interface FeatureOptions {
  source: PixelSource;
  /** The images by number, null for none. */
  files: readonly ImageInput[];
  /** Folder of the cache; '' keeps tables in memory while they are in use, null nothing at all. */
  cache: string | null;
  /** Hash of CLIP's files. */
  clipHash: string;
  /** Told of files of the cache that are damaged and made again, in a line. */
  onWarning?: ((line: string) => void) | undefined;
}

/** Texts or images after encoding. */
export interface Features {
  /** [B, tokens, width] */
  tokens: Tensor;
  /** [B, projection] */
  embeds: Tensor;
}

/** Texts after encoding, padded. */
export interface TextFeatures extends Features {
  /** i32 [B, tokens], 0 on padding. */
  mask: Tensor;
}

/** Texts after encoding without padding: of text i the tokens offsets[i] .. offsets[i + 1] - 1. */
export interface RaggedFeatures {
  /** [tokens of all texts, width] */
  tokens: Tensor;
  /** [texts + 1] */
  offsets: Int32Array<ArrayBuffer>;
  /** [texts, projection] */
  embeds: Tensor;
}

/** What an encoder made of n texts or images; of row i the tokens offsets[i] .. offsets[i + 1] - 1. */
export interface FeatureTable {
  /** [tokens of all rows, width]; of a table that is too large for memory, in its file. */
  tokens: Float32Array<ArrayBuffer> | TokenFile;
  /** [n, projection] */
  embeds: Float32Array<ArrayBuffer>;
  /** [n + 1] */
  offsets: Int32Array<ArrayBuffer>;
  width: number;
  projection: number;
}

export interface MemoryTable extends FeatureTable {
  tokens: Float32Array<ArrayBuffer>;
}

/** Numbers in a file. */
export interface TokenFile {
  /** Fills `into` with the numbers from number `first` on. */
  read(first: number, into: Float32Array): void;
}

/** A table to be made: its sizes, and its rows' features in order, some at a time. */
export interface TableToMake {
  offsets: Int32Array<ArrayBuffer>;
  width: number;
  projection: number;
  rows(): AsyncIterable<{ tokens: Float32Array<ArrayBuffer>; embeds: Float32Array<ArrayBuffer> }>;
  /** Of inputs that may fail to be read, zeros standing in for them. */
  failures?: Failures;
}

export interface Failures {
  /** Rows whose input could not be read when they were made last. */
  rows(): number[];
  /** Tries their inputs again; whether all still fail. */
  remain(rows: readonly number[]): Promise<boolean>;
}

/** What a frozen encoder makes of a batch; called within a scope that records nothing. */
interface Encoder<Input> {
  device: Device;
  /** Of a token's and of an embed's vector. */
  width: number;
  projection: number;
  encode(input: Input): Features;
}

/** Encodes texts; each gets `prompts` tokens in front of its own. */
export interface TextEncoder extends Encoder<TextBatch> {
  prompts: number;
}

/** Encodes images, pixels [B, 3, size, size], of which each gives so many tokens. */
export interface ImageEncoder extends Encoder<Tensor> {
  tokens: number;
}

const encodeBatch = 64;
/** Rows that are on the host at once while a table is made: texts of similar length among them are encoded together. */
const rowsAtOnce = 2048;
const lengthStep = 4;

/** All texts, those of similar length together. */
export function encodeTexts(encoder: TextEncoder, tokens: Tokens): TableToMake {
  const { device, width, projection, prompts } = encoder;
  const sizes = { width, projection };
  const offsets = offsetsOf(Array.from(tokens.lengths, (length) => prompts + length));
  async function* rows() {
    for (let from = 0; from < tokens.count; from += rowsAtOnce) {
      const part = partOf(offsets, from, Math.min(rowsAtOnce, tokens.count - from), sizes);
      const order = [...part.offsets.keys()].slice(0, -1).map((i) => from + i);
      order.sort((a, b) => tokens.lengths[a]! - tokens.lengths[b]! || a - b);
      for (let i = 0; i < order.length; i += encodeBatch) {
        const batchRows = order.slice(i, i + encodeBatch);
        const batch = pickTexts(tokens, batchRows);
        const pending = device.scope(() => readFeatures(noGrad(() => encoder.encode(batch))));
        const places = batchRows.map((row) => row - from);
        fillRows(part, places, prompts + batch.length, await pending);
      }
      yield part;
    }
  }
  return { ...sizes, offsets, rows };
}

/** The images of these numbers, one a row. */
export function encodeImages(
  encoder: ImageEncoder,
  source: PixelSource,
  images: readonly number[],
): TableToMake {
  const { device, width, projection } = encoder;
  const { size } = source;
  const offsets = offsetsOf(images.map(() => encoder.tokens));
  async function* rows() {
    const groups: number[][] = [];
    for (let i = 0; i < images.length; i += encodeBatch) groups.push(images.slice(i, i + encodeBatch));
    let from = 0;
    for await (const pixels of source.groups(groups)) {
      const count = Math.min(encodeBatch, images.length - from);
      const pending = device.scope(() => {
        const input = device.tensor([count, 3, size, size], pixels, { name: 'pixels' });
        return readFeatures(noGrad(() => encoder.encode(input)));
      });
      yield await pending;
      from += count;
    }
  }
  return { width, projection, offsets, rows, failures: imageFailures(source, images) };
}

/** The failures of images, one a row, that a source reads. */
export function imageFailures(source: PixelSource, images: readonly number[]): Failures {
  return {
    rows() {
      const { failed } = source;
      return [...images.keys()].filter((row) => failed.has(images[row]!));
    },
    async remain(rows) {
      const own = rows.map((row) => images[row]!);
      for await (const _ of source.groups([own]));
      const { failed } = source;
      return own.every((image) => failed.has(image));
    },
  };
}

/** Makes a table in memory. */
export async function inMemory({ offsets, width, projection, rows }: TableToMake): Promise<MemoryTable> {
  const table = {
    tokens: new Float32Array(offsets.at(-1)! * width),
    embeds: new Float32Array((offsets.length - 1) * projection),
    offsets,
    width,
    projection,
  };
  let [token, embed] = [0, 0];
  for await (const { tokens, embeds } of rows()) {
    table.tokens.set(tokens, token);
    table.embeds.set(embeds, embed);
    token += tokens.length;
    embed += embeds.length;
  }
  return table;
}

/** A table of n rows of which only these are filled, by the rows of another, in order; the others have no tokens. */
export function spreadRows(table: FeatureTable, rows: readonly number[], n: number): FeatureTable {
  const { projection } = table;
  const lengths = new Array<number>(n).fill(0);
  const embeds = new Float32Array(n * projection);
  rows.forEach((row, i) => {
    lengths[row] = lengthOf(table, i);
    embeds.set(table.embeds.subarray(i * projection, (i + 1) * projection), row * projection);
  });
  return { ...table, embeds, offsets: offsetsOf(lengths) };
}

/** The rows as text features on the device, padded: tokens [B, L, width], embeds [B, projection], mask [B, L]. */
export function textRows(device: Device, table: FeatureTable, rows: readonly number[]): TextFeatures {
  const longest = Math.max(...rows.map((row) => lengthOf(table, row)));
  const L = Math.ceil(longest / lengthStep) * lengthStep;
  const mask = new Int32Array(rows.length * L);
  rows.forEach((row, b) => {
    mask.fill(1, b * L, b * L + lengthOf(table, row));
  });
  return {
    ...pickRows(device, table, rows, L),
    mask: device.tensor([rows.length, L], mask, { name: 'text mask' }),
  };
}

/** The rows as text features on the device, without padding. */
export function raggedTextRows(device: Device, table: FeatureTable, rows: readonly number[]): RaggedFeatures {
  const { width, projection } = table;
  const offsets = offsetsOf(rows.map((row) => lengthOf(table, row)));
  const tokens = new Float32Array(offsets.at(-1)! * width);
  rows.forEach((row, i) => {
    copyTokens(table, row, tokens, offsets[i]! * width);
  });
  return {
    tokens: device.tensor([offsets.at(-1)!, width], tokens, { name: 'token features' }),
    offsets,
    embeds: device.tensor([rows.length, projection], embedsOf(table, rows), { name: 'embeds' }),
  };
}

/** The rows' embeds on the host: [rows, projection]. */
export function embedsOf({ embeds, projection }: FeatureTable, rows: readonly number[]) {
  const picked = new Float32Array(rows.length * projection);
  rows.forEach((row, i) => {
    picked.set(embeds.subarray(row * projection, (row + 1) * projection), i * projection);
  });
  return picked;
}

/** The rows as image features on the device: tokens [B, T, width], embeds [B, projection]. */
export function imageRows(device: Device, table: FeatureTable, rows: readonly number[]): Features {
  return pickRows(device, table, rows, lengthOf(table, 0));
}

/** Each row's mean token, [n, width]. */
export function meanTokens(table: FeatureTable): Float32Array<ArrayBuffer> {
  const { offsets, width } = table;
  const n = offsets.length - 1;
  const means = new Float32Array(n * width);
  for (let row = 0; row < n; row++) {
    const length = lengthOf(table, row);
    const own = new Float32Array(length * width);
    copyTokens(table, row, own, 0);
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let token = 0; token < length; token++) sum += own[token * width + column]!;
      means[row * width + column] = sum / length;
    }
  }
  return means;
}

function pickRows(device: Device, table: FeatureTable, rows: readonly number[], L: number): Features {
  const { width, projection } = table;
  const tokens = new Float32Array(rows.length * L * width);
  rows.forEach((row, b) => {
    copyTokens(table, row, tokens, b * L * width);
  });
  return {
    tokens: device.tensor([rows.length, L, width], tokens, { name: 'token features' }),
    embeds: device.tensor([rows.length, projection], embedsOf(table, rows), { name: 'embeds' }),
  };
}

function lengthOf({ offsets }: FeatureTable, row: number): number {
  return offsets[row + 1]! - offsets[row]!;
}

/** Copies a row's tokens to place `at`. */
function copyTokens(
  { tokens, offsets, width }: FeatureTable,
  row: number,
  into: Float32Array,
  at: number,
): void {
  const [start, end] = [offsets[row]! * width, offsets[row + 1]! * width];
  if (tokens instanceof Float32Array) into.set(tokens.subarray(start, end), at);
  else tokens.read(start, into.subarray(at, at + end - start));
}

/** Where rows of these lengths begin, and where the last ends. */
function offsetsOf(lengths: readonly number[]): Int32Array<ArrayBuffer> {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => {
    offsets[i + 1] = offsets[i]! + length;
  });
  return offsets;
}

/** An empty table for some of the rows. */
function partOf(
  offsets: Int32Array,
  from: number,
  count: number,
  { width, projection }: { width: number; projection: number },
): MemoryTable {
  const own = Int32Array.from(offsets.subarray(from, from + count + 1), (start) => start - offsets[from]!);
  return {
    tokens: new Float32Array(own.at(-1)! * width),
    embeds: new Float32Array(count * projection),
    offsets: own,
    width,
    projection,
  };
}

async function readFeatures({ tokens, embeds }: Features) {
  const [readTokens, readEmbeds] = await Promise.all([
    tokens.device.read<'f32'>(tokens),
    embeds.device.read<'f32'>(embeds),
  ]);
  return { tokens: readTokens, embeds: readEmbeds };
}

/** Puts a batch's features, padded to L tokens, in their rows of the table. */
function fillRows(
  table: MemoryTable,
  rows: readonly number[],
  L: number,
  { tokens, embeds }: { tokens: Float32Array; embeds: Float32Array },
): void {
  const { width, projection, offsets } = table;
  rows.forEach((row, b) => {
    const from = b * L * width;
    table.tokens.set(tokens.subarray(from, from + lengthOf(table, row) * width), offsets[row]! * width);
    table.embeds.set(embeds.subarray(b * projection, (b + 1) * projection), row * projection);
  });
}
