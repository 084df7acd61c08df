// The embeds of frozen towers, computed once for all texts and images: what baselines keep that look at no tokens. A table
// holds one row a text or image.

import { keptTable } from '../../encoding/feature-cache.ts';
import {
  encodeImages,
  encodeTexts,
  type FeatureOptions,
  type FeatureTable,
  imageRows,
  type TableToMake,
} from '../../encoding/features.ts';
import { imageStamps, type TextBatch, type Tokens } from '../../encoding/samples.ts';
import type { Device } from '../../engine/device.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { hashOf } from '../../files/fingerprint.ts';
import type { ClipImageEncoder, ClipTextEncoder } from './clip.ts';

/** Embeds of images, which are found by their number. */
export interface ImageEmbeds {
  table: FeatureTable;
  row: ReadonlyMap<number, number>;
}

/** Encodes texts, or finds their embeds in the cache. */
export function textEmbedTable(
  device: Device,
  encoder: ClipTextEncoder,
  tokens: Tokens,
  { clipHash, ...features }: FeatureOptions,
): Promise<FeatureTable> {
  const encoding = {
    device,
    width: encoder.config.width,
    projection: encoder.embedWidth,
    prompts: 0,
    encode: (batch: TextBatch) => encoder.encode(batch),
  };
  const key = () => hashOf(['text embeds', clipHash, tokens.ids, tokens.mask]);
  return keptTable(features, key, embedsOnly(encodeTexts(encoding, tokens)));
}

/** Encodes the images of these numbers, or finds their embeds in the cache. */
export async function imageEmbedTable(
  device: Device,
  encoder: ClipImageEncoder,
  images: readonly number[],
  features: FeatureOptions,
): Promise<ImageEmbeds> {
  const { source, files, clipHash } = features;
  const encoding = {
    device,
    width: encoder.config.width,
    projection: encoder.embedWidth,
    tokens: encoder.tokens,
    encode: (pixels: Tensor) => encoder.encode(pixels),
  };
  const key = async () => {
    const stamps = await imageStamps(images.map((image) => files[image]!));
    return hashOf(['image embeds', clipHash, JSON.stringify(source.how), ...stamps]);
  };
  const table = await keptTable(features, key, embedsOnly(encodeImages(encoding, source, images)));
  return { table, row: new Map(images.map((image, row) => [image, row])) };
}

/** Embeds of the texts in these rows, on the device: [rows, d_z]. */
export function textEmbeds(device: Device, table: FeatureTable, rows: readonly number[]): Tensor {
  return reshape(imageRows(device, table, rows).tokens, [rows.length, table.width]);
}

/** Embeds of the images of these numbers, on the device: [images, d_z]. */
export function imageEmbeds(device: Device, { table, row }: ImageEmbeds, images: readonly number[]): Tensor {
  return textEmbeds(
    device,
    table,
    images.map((number) => row.get(number)!),
  );
}

/** The table's embeds as its one token a row, so that a large table may stay in its file as tokens do. */
function embedsOnly({ offsets, projection, rows, failures }: TableToMake): TableToMake {
  const count = offsets.length - 1;
  async function* embeds() {
    for await (const part of rows()) {
      yield { tokens: part.embeds, embeds: new Float32Array(part.embeds.length / projection) };
    }
  }
  return {
    offsets: Int32Array.from({ length: count + 1 }, (_, row) => row),
    width: projection,
    projection: 1,
    rows: embeds,
    ...(failures ? { failures } : {}),
  };
}
