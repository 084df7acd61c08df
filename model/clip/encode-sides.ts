// Both sides of a training batch through one CLIP: their texts together and their images together, which is half as many
// products, each twice as large, and half as many gradients to add up as one side after the other.

import { embedding } from '../../engine/ops/embedding.ts';
import { concat, reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Clip, Features, TextBatch, TextFeatures } from './clip.ts';
import { encodeTogether } from './encode-in-groups.ts';

/** Samples of a side before encoding. */
export interface SideInput {
  texts: TextBatch;
  /** Each distinct image once: [images, 3, S, S]. */
  pixels: Tensor;
  /** Where each sample's image is among them: [samples]. */
  places: Int32Array<ArrayBuffer>;
}

/** A row a sample. */
export interface SideFeatures {
  text: TextFeatures;
  image: Features;
}

/**
 * Encodes one side or several, texts in as many groups by length as there are sides: for the included CLIP and two sides of 32,
 * four groups or one take longer. Differentiable.
 */
export function encodeSides(
  { text, vision }: Pick<Clip, 'text' | 'vision'>,
  sides: readonly SideInput[],
): SideFeatures[] {
  const texts = encodeTogether(
    sides.map((side) => side.texts),
    sides.length,
    (some) => text.encode(some),
  );
  const pixels = sides.map((side) => side.pixels);
  const images = vision.encode(pixels.length === 1 ? pixels[0]! : concat(pixels, 0));
  let before = 0;
  return sides.map(({ places }, i) => {
    const own = places.map((place) => before + place);
    before += pixels[i]!.shape[0]!;
    return { text: texts[i]!, image: repeatImages(images, own) };
  });
}

/** The images' features in the order of `places`, repeated where an image occurs more than once. */
export function repeatImages({ tokens, embeds }: Features, places: Int32Array<ArrayBuffer>): Features {
  const [n, T, width] = tokens.shape as [number, number, number];
  const rows = tokens.device.tensor([places.length], places, { name: 'image places' });
  return {
    tokens: reshape(embedding(reshape(tokens, [n, T * width]), rows), [places.length, T, width]),
    embeds: embedding(embeds, rows),
  };
}
