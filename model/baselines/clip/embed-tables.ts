// The embeds of frozen towers, computed once for all texts and images: what the baseline CLIP keeps of samples. Its tables
// hold one row a text or image and no tokens.

import { keptTable } from '../../../encoding/feature-cache.ts';
import {
  encodeImages,
  encodeTexts,
  type FeatureOptions,
  type FeatureTable,
  imageRows,
  type TableToMake,
} from '../../../encoding/features.ts';
import { fileStamp, type Samples } from '../../../encoding/samples.ts';
import type { Device } from '../../../engine/device.ts';
import { reshape } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { hashOf } from '../../../files/fingerprint.ts';
import type { Clip } from '../../clip/clip.ts';

export interface EmbedTables {
  text: FeatureTable;
  image: FeatureTable;
  /** The row of each image's number. */
  imageRow: ReadonlyMap<number, number>;
}

/** Encodes samples with the weights of now, or finds their embeds in the cache where it has a folder. */
export async function embedTables(
  device: Device,
  { text, vision }: Clip,
  { tokens }: Samples,
  images: readonly number[],
  { source, files, cache, clipHash }: FeatureOptions,
): Promise<EmbedTables> {
  const prompts: readonly Tensor[] = [];
  const stamps = await Promise.all(images.map((image) => fileStamp(files[image]!)));
  return {
    text: await keptTable(
      cache,
      hashOf(['text embeds', clipHash, tokens.ids, tokens.mask]),
      embedsOnly(encodeTexts({ device, encoder: text, prompts }, tokens)),
    ),
    image: await keptTable(
      cache,
      hashOf(['image embeds', clipHash, JSON.stringify(source.how), ...stamps]),
      embedsOnly(encodeImages({ device, encoder: vision, prompts }, source, images)),
    ),
    imageRow: new Map(images.map((image, row) => [image, row])),
  };
}

/** Rows of the tables and their images, on the device: [rows, d_z] each. */
export function embedRows(
  device: Device,
  { text, image, imageRow }: EmbedTables,
  rows: readonly number[],
  images: readonly number[],
): { text: Tensor; image: Tensor } {
  const own = images.map((number) => imageRow.get(number)!);
  return { text: embedsAt(device, text, rows), image: embedsAt(device, image, own) };
}

function embedsAt(device: Device, table: FeatureTable, rows: readonly number[]): Tensor {
  return reshape(imageRows(device, table, rows).tokens, [rows.length, table.width]);
}

/** The table's embeds as its one token a row, so that a large table may stay in its file as tokens do. */
function embedsOnly({ first, projection, rows }: TableToMake): TableToMake {
  const count = first.length - 1;
  async function* embeds() {
    for await (const part of rows()) {
      const n = part.embeds.length / projection;
      yield { tokens: part.embeds, embeds: new Float32Array(n) };
    }
  }
  return {
    first: Int32Array.from({ length: count + 1 }, (_, row) => row),
    width: projection,
    projection: 1,
    rows: embeds,
  };
}
