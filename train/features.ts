// Features of frozen encoders: computed once for all texts and images, kept on the host, and handed to the device a
// batch at a time. Padding is not stored. Where they are kept between runs is feature-cache.ts.

import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type ClipConfig, encodeImage, encodeText, type Features, type TextFeatures } from '../model/clip.ts';
import type { Parameters } from '../model/parameters.ts';
import type { PixelSource } from './pixels.ts';
import { pickTexts, type Tokens } from './samples.ts';

/** What an encoder made of n texts or images; of row i the tokens first[i] .. first[i + 1] - 1. */
export interface FeatureTable {
  /** [tokens of all rows, width] */
  tokens: Float32Array<ArrayBuffer>;
  /** [n, projection] */
  embeds: Float32Array<ArrayBuffer>;
  /** [n + 1] */
  first: Int32Array<ArrayBuffer>;
  width: number;
  projection: number;
}

/** An encoder with its weights, and the prompts of one side. */
export interface Encoder {
  device: Device;
  parameters: Parameters;
  config: ClipConfig;
  prompts: readonly Tensor[];
}

const encodeBatch = 64;
const lengthStep = 4;

/** Encodes all texts, those of similar length together. */
export async function encodeTexts(encoder: Encoder, tokens: Tokens): Promise<FeatureTable> {
  const { device, parameters, config, prompts } = encoder;
  const r = prompts[0]?.shape[0] ?? 0;
  const table = newTable(
    Array.from(tokens.lengths, (length) => r + length),
    config.text.width,
    config.projection,
  );
  const rows = Array.from(tokens.lengths.keys()).sort(
    (a, b) => tokens.lengths[a]! - tokens.lengths[b]! || a - b,
  );
  for (let i = 0; i < rows.length; i += encodeBatch) {
    const part = rows.slice(i, i + encodeBatch);
    const batch = pickTexts(tokens, part);
    const pending = device.scope(() =>
      readFeatures(noGrad(() => encodeText(parameters, config, batch, prompts))),
    );
    fillRows(table, part, r + batch.length, await pending);
  }
  return table;
}

/** Encodes the images of these numbers, one a row of the table. */
export async function encodeImages(
  encoder: Encoder,
  source: PixelSource,
  images: readonly number[],
): Promise<FeatureTable> {
  const { device, parameters, config, prompts } = encoder;
  const { width, imageSize, patchSize } = config.vision;
  const T = (prompts[0]?.shape[0] ?? 0) + 1 + Math.floor(imageSize / patchSize) ** 2;
  const table = newTable(
    images.map(() => T),
    width,
    config.projection,
  );
  const groups: number[][] = [];
  for (let i = 0; i < images.length; i += encodeBatch) groups.push(images.slice(i, i + encodeBatch));
  let next = 0;
  for await (const pixels of source.groups(groups)) {
    const group = groups[next]!;
    const rows = group.map((_, i) => next * encodeBatch + i);
    next++;
    const pending = device.scope(() => {
      const input = device.tensor([group.length, 3, imageSize, imageSize], pixels, { name: 'pixels' });
      return readFeatures(noGrad(() => encodeImage(parameters, config, input, prompts)));
    });
    fillRows(table, rows, T, await pending);
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

/** The rows as image features on the device: tokens [B, T, width], embeds [B, projection]. */
export function imageRows(device: Device, table: FeatureTable, rows: readonly number[]): Features {
  return pickRows(device, table, rows, lengthOf(table, 0));
}

/** Each row's mean token, [n, width]. */
export function meanTokens({ tokens, first, width }: FeatureTable): Float32Array<ArrayBuffer> {
  const n = first.length - 1;
  const means = new Float32Array(n * width);
  for (let row = 0; row < n; row++) {
    const [start, end] = [first[row]!, first[row + 1]!];
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let token = start; token < end; token++) sum += tokens[token * width + column]!;
      means[row * width + column] = sum / (end - start);
    }
  }
  return means;
}

function pickRows(device: Device, table: FeatureTable, rows: readonly number[], L: number): Features {
  const { width, projection } = table;
  const tokens = new Float32Array(rows.length * L * width);
  const embeds = new Float32Array(rows.length * projection);
  rows.forEach((row, b) => {
    const [start, end] = [table.first[row]!, table.first[row + 1]!];
    tokens.set(table.tokens.subarray(start * width, end * width), b * L * width);
    embeds.set(table.embeds.subarray(row * projection, (row + 1) * projection), b * projection);
  });
  return {
    tokens: device.tensor([rows.length, L, width], tokens, { name: 'token features' }),
    embeds: device.tensor([rows.length, projection], embeds, { name: 'embeds' }),
  };
}

function lengthOf({ first }: FeatureTable, row: number): number {
  return first[row + 1]! - first[row]!;
}

function newTable(lengths: readonly number[], width: number, projection: number): FeatureTable {
  const first = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => {
    first[i + 1] = first[i]! + length;
  });
  return {
    tokens: new Float32Array(first.at(-1)! * width),
    embeds: new Float32Array(lengths.length * projection),
    first,
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
  table: FeatureTable,
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
