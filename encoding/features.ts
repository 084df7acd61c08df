// Features of frozen encoders: computed once for all texts and images, kept on the host or in a file, and handed to the
// device a batch at a time. Padding is not stored. Where they are kept between runs is feature-cache.ts.

import type { PixelSource } from '../data/images/pixel-source.ts';
import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { ClipImageEncoder, ClipTextEncoder, Features, TextFeatures } from '../model/clip/clip.ts';
import type { RaggedText } from '../model/dsmip/text-vectors.ts';
import { pickTexts, type Tokens } from './samples.ts';

/** Where features come from and are kept. */
export interface FeatureOptions {
  source: PixelSource;
  files: readonly (string | null)[];
  /** Folder of the cache, '' for none. */
  cache: string;
  /** Hash of CLIP's files. */
  clipHash: string;
}

/** What an encoder made of n texts or images; of row i the tokens first[i] .. first[i + 1] - 1. */
export interface FeatureTable {
  /** [tokens of all rows, width]; of a table that is too large for memory, in its file. */
  tokens: Float32Array<ArrayBuffer> | TokenFile;
  /** [n, projection] */
  embeds: Float32Array<ArrayBuffer>;
  /** [n + 1] */
  first: Int32Array<ArrayBuffer>;
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
  first: Int32Array<ArrayBuffer>;
  width: number;
  projection: number;
  rows(): AsyncIterable<{ tokens: Float32Array<ArrayBuffer>; embeds: Float32Array<ArrayBuffer> }>;
}

/** An encoder, and the prompts of one side. */
export interface Encoder<E> {
  device: Device;
  encoder: E;
  prompts: readonly Tensor[];
}

const encodeBatch = 64;
/** Rows that are on the host at once while a table is made: texts of similar length among them are encoded together. */
const rowsAtOnce = 2048;
const lengthStep = 4;

/** All texts, those of similar length together. */
export function encodeTexts(
  { device, encoder, prompts }: Encoder<ClipTextEncoder>,
  tokens: Tokens,
): TableToMake {
  const r = prompts[0]?.shape[0] ?? 0;
  const sizes = { width: encoder.config.width, projection: encoder.embedWidth };
  const first = startsOf(Array.from(tokens.lengths, (length) => r + length));
  async function* rows() {
    for (let from = 0; from < tokens.count; from += rowsAtOnce) {
      const part = partOf(first, from, Math.min(rowsAtOnce, tokens.count - from), sizes);
      const order = [...part.first.keys()].slice(0, -1).map((i) => from + i);
      order.sort((a, b) => tokens.lengths[a]! - tokens.lengths[b]! || a - b);
      for (let i = 0; i < order.length; i += encodeBatch) {
        const some = order.slice(i, i + encodeBatch);
        const batch = pickTexts(tokens, some);
        const pending = device.scope(() => readFeatures(noGrad(() => encoder.encode(batch, prompts))));
        const places = some.map((row) => row - from);
        fillRows(part, places, r + batch.length, await pending);
      }
      yield part;
    }
  }
  return { ...sizes, first, rows };
}

/** The images of these numbers, one a row. */
export function encodeImages(
  { device, encoder, prompts }: Encoder<ClipImageEncoder>,
  source: PixelSource,
  images: readonly number[],
): TableToMake {
  const { width, imageSize, patchSize } = encoder.config;
  const sizes = { width, projection: encoder.embedWidth };
  const T = (prompts[0]?.shape[0] ?? 0) + 1 + Math.floor(imageSize / patchSize) ** 2;
  const first = startsOf(images.map(() => T));
  async function* rows() {
    const groups: number[][] = [];
    for (let i = 0; i < images.length; i += encodeBatch) groups.push(images.slice(i, i + encodeBatch));
    let from = 0;
    for await (const pixels of source.groups(groups)) {
      const count = Math.min(encodeBatch, images.length - from);
      const pending = device.scope(() => {
        const input = device.tensor([count, 3, imageSize, imageSize], pixels, { name: 'pixels' });
        return readFeatures(noGrad(() => encoder.encode(input, prompts)));
      });
      yield await pending;
      from += count;
    }
  }
  return { ...sizes, first, rows };
}

/** Makes a table in memory. */
export async function inMemory({ first, width, projection, rows }: TableToMake): Promise<MemoryTable> {
  const table = {
    tokens: new Float32Array(first.at(-1)! * width),
    embeds: new Float32Array((first.length - 1) * projection),
    first,
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
export function raggedTextRows(device: Device, table: FeatureTable, rows: readonly number[]): RaggedText {
  const { width, projection } = table;
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    offsets[i + 1] = offsets[i]! + lengthOf(table, row);
  });
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
  const { first, width } = table;
  const n = first.length - 1;
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

function lengthOf({ first }: FeatureTable, row: number): number {
  return first[row + 1]! - first[row]!;
}

/** Copies a row's tokens to place `at`. */
function copyTokens(
  { tokens, first, width }: FeatureTable,
  row: number,
  into: Float32Array,
  at: number,
): void {
  const [start, end] = [first[row]! * width, first[row + 1]! * width];
  if (tokens instanceof Float32Array) into.set(tokens.subarray(start, end), at);
  else tokens.read(start, into.subarray(at, at + end - start));
}

function startsOf(lengths: readonly number[]): Int32Array<ArrayBuffer> {
  const first = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => {
    first[i + 1] = first[i]! + length;
  });
  return first;
}

/** An empty table for some of the rows. */
function partOf(
  first: Int32Array,
  from: number,
  count: number,
  { width, projection }: { width: number; projection: number },
): MemoryTable {
  const own = Int32Array.from(first.subarray(from, from + count + 1), (start) => start - first[from]!);
  return {
    tokens: new Float32Array(own.at(-1)! * width),
    embeds: new Float32Array(count * projection),
    first: own,
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
  const { width, projection, first } = table;
  rows.forEach((row, b) => {
    const from = b * L * width;
    table.tokens.set(tokens.subarray(from, from + lengthOf(table, row) * width), first[row]! * width);
    table.embeds.set(embeds.subarray(b * projection, (b + 1) * projection), row * projection);
  });
}
