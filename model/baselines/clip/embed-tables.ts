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
import { imageStamps, type Samples, type TextBatch } from '../../../encoding/samples.ts';
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

/** Encodes samples, or finds their embeds in the cache. */
export async function embedTables(
  device: Device,
  { text, vision }: Clip,
  { tokens }: Samples,
  images: readonly number[],
  { source, files, cache, clipHash }: FeatureOptions,
): Promise<EmbedTables> {
  const textKey = () => hashOf(['text embeds', clipHash, tokens.ids, tokens.mask]);
  const imageKey = async () => {
    const stamps = await imageStamps(images.map((image) => files[image]!));
    return hashOf(['image embeds', clipHash, JSON.stringify(source.how), ...stamps]);
  };
  const texts = encodeTexts(
    {
      device,
      width: text.config.width,
      projection: text.embedWidth,
      prompts: 0,
      encode: (batch: TextBatch) => text.encode(batch),
    },
    tokens,
  );
  const pictures = encodeImages(
    {
      device,
      width: vision.config.width,
      projection: vision.embedWidth,
      tokens: vision.tokens,
      encode: (pixels: Tensor) => vision.encode(pixels),
    },
    source,
    images,
  );
  return {
    text: await keptTable(cache, textKey, embedsOnly(texts)),
    image: await keptTable(cache, imageKey, embedsOnly(pictures)),
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
