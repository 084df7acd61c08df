// What one batch asks of a baseline: the loss and its gradients, the batch encoded whole or in chunks.

import type { PixelSource } from '../../data/images/pixel-source.ts';
import { backward } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { Random } from '../../engine/random.ts';
import type { AnyBaseline, EncodingBatch } from '../../model/baselines/baseline.ts';
import { pixelTensor } from '../../model/baselines/dense-baseline.ts';
import type { Side } from '../../ranking/scorer.ts';
import type { Batch } from '../batches.ts';
import { encodeInChunks, type LossGradients } from '../experts/encode-in-chunks.ts';

/** A side of a batch on the host. */
interface SideBatch {
  /** What the baseline prepared of all samples, and the batch's rows of it. */
  inputs: unknown;
  rows: readonly number[];
  /** By row the image's number. */
  images: readonly number[];
  /** Pixels of each distinct image once, and which these are; null for a system that takes none. */
  pixels: { values: Float32Array<ArrayBuffer>; images: readonly number[] } | null;
}

export interface StepBatch extends Readonly<Record<Side, SideBatch>> {
  /** Which entity each column of the scores is. */
  entities: Int32Array<ArrayBuffer>;
}

/**
 * Loss and gradients of a batch, in the current scope. `chunk`: samples of a side to encode at a time, 0 for all. `random`: what
 * dropout draws from.
 */
export function baselineGradients(
  baseline: AnyBaseline,
  { mention, entity, entities }: StepBatch,
  chunk: number,
  random: Random,
): LossGradients {
  const { device } = baseline;
  const [mentionRows, entityRows] = [rowsOf(device, mention, random), rowsOf(device, entity, random)];
  if (chunk === 0) {
    const m = mentionRows(0, mention.rows.length);
    const e = entityRows(0, entity.rows.length);
    const sides = baseline.encodeBoth?.(m, e) ?? {
      mentions: baseline.encodeMentions(m),
      entities: baseline.encodeEntities(e),
    };
    const loss = baseline.loss(sides.mentions, sides.entities, entities);
    return { loss, gradients: backward(loss) };
  }
  const encodings = [
    {
      count: mention.rows.length,
      encode: (first: number, count: number): object => baseline.encodeMentions(mentionRows(first, count)),
    },
    {
      count: entity.rows.length,
      encode: (first: number, count: number): object => baseline.encodeEntities(entityRows(first, count)),
    },
  ];
  return encodeInChunks(baseline.device, encodings, chunk, ([m, e]) => baseline.loss(m, e, entities));
}

/** Some rows of a side to encode; the same of them is dropped whenever they are asked for. */
function rowsOf(
  device: Device,
  { inputs, rows, images, pixels }: SideBatch,
  random: Random,
): (first: number, count: number) => EncodingBatch<unknown> {
  const seed = random.words(1)[0]!;
  return (first, count) => {
    const own = images.slice(first, first + count);
    const numbers = [...new Set(own)];
    return {
      inputs,
      rows: rows.slice(first, first + count),
      allRows: rows,
      images: own,
      pixels: pixels && pixelTensor(device, pixelsOf(pixels, numbers), numbers.length),
      places: Int32Array.from(own, (image) => numbers.indexOf(image)),
      random: new Random((BigInt(seed) << 32n) + BigInt(first)),
    };
  };
}

/** The pixels of some of the images. */
function pixelsOf(
  { values, images }: NonNullable<SideBatch['pixels']>,
  wanted: readonly number[],
): Float32Array<ArrayBuffer> {
  const plane = values.length / images.length;
  const picked = new Float32Array(wanted.length * plane);
  for (const [i, image] of wanted.entries()) {
    const place = images.indexOf(image);
    picked.set(values.subarray(place * plane, (place + 1) * plane), i * plane);
  }
  return picked;
}

/** The batches with what a baseline encodes. Pixels are decoded ahead, where there is a source of some. */
export async function* baselineBatches(
  source: PixelSource | null,
  inputs: Readonly<Record<Side, unknown>>,
  batches: readonly Batch[],
): AsyncGenerator<StepBatch> {
  const distinct = batches.map(({ mentionImages, entityImages }) => ({
    mention: [...new Set(mentionImages)],
    entity: [...new Set(entityImages)],
  }));
  const decoded = source?.groups(distinct.map(({ mention, entity }) => [...mention, ...entity])) ?? null;
  for (const [i, batch] of batches.entries()) {
    const { mention, entity } = distinct[i]!;
    const values = decoded && (await decoded.next()).value!;
    const split = values ? (values.length / (mention.length + entity.length)) * mention.length : 0;
    yield {
      mention: {
        inputs: inputs.mention,
        rows: batch.mentions,
        images: batch.mentionImages,
        pixels: values && { values: values.subarray(0, split), images: mention },
      },
      entity: {
        inputs: inputs.entity,
        rows: batch.entities,
        images: batch.entityImages,
        pixels: values && { values: values.subarray(split), images: entity },
      },
      entities: Int32Array.from(batch.entities),
    };
  }
}
