// What one batch asks of a baseline whose encoders are trained: the loss and its gradients, the batch encoded whole or in
// chunks.

import { backward } from '../../engine/autograd.ts';
import type { AnyBaseline, SideInput } from '../../model/baselines/baseline.ts';
import type { SideBatch, StepBatch } from '../batch-inputs.ts';
import { encodeInChunks, type LossGradients } from '../experts/encode-in-chunks.ts';

/** Loss and gradients of a batch, in the current scope. `chunk`: samples of a side to encode at a time, 0 for all. */
export function baselineGradients(
  baseline: AnyBaseline,
  { mention, entity, entities }: StepBatch,
  chunk: number,
): LossGradients {
  const encodeMentions = (side: SideBatch): object => baseline.encodeMentions(inputOf(baseline, side));
  const encodeEntities = (side: SideBatch): object => baseline.encodeEntities(inputOf(baseline, side));
  if (chunk === 0) {
    const loss = baseline.loss(encodeMentions(mention), encodeEntities(entity), entities);
    return { loss, gradients: backward(loss) };
  }
  const encodings = [
    { count: mention.places.length, encode: rowsOf(mention, encodeMentions) },
    { count: entity.places.length, encode: rowsOf(entity, encodeEntities) },
  ];
  return encodeInChunks(baseline.device, encodings, chunk, ([m, e]) => baseline.loss(m, e, entities));
}

/** A side on the device. */
function inputOf({ device }: AnyBaseline, { texts, pixels, places }: SideBatch): SideInput {
  const images = Math.max(...places) + 1;
  const size = Math.round(Math.sqrt(pixels!.length / (3 * images)));
  return { texts, pixels: device.tensor([images, 3, size, size], pixels!, { name: 'pixels' }), places };
}

/** What encodes some rows of a side, with the images that they have. */
function rowsOf({ texts, pixels, places }: SideBatch, encode: (side: SideBatch) => object) {
  const plane = pixels!.length / (Math.max(...places) + 1);
  const { length } = texts;
  return (first: number, count: number): object => {
    const own = places.subarray(first, first + count);
    const images = [...new Set(own)];
    const some = new Float32Array(images.length * plane);
    for (const [i, image] of images.entries()) {
      some.set(pixels!.subarray(image * plane, (image + 1) * plane), i * plane);
    }
    const tokens = (of: Int32Array<ArrayBuffer>) => of.subarray(first * length, (first + count) * length);
    return encode({
      texts: { ids: tokens(texts.ids), mask: tokens(texts.mask), count, length },
      pixels: some,
      places: own.map((image) => images.indexOf(image)),
    });
  };
}
