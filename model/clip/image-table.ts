// The vision encoder's features of images, made once or found in the cache: what experts and, without prompts, the
// gate and the baseline GHMFC take of them.

import { keptTable } from '../../encoding/feature-cache.ts';
import { encodeImages, type FeatureOptions, type FeatureTable } from '../../encoding/features.ts';
import { imageStamps } from '../../encoding/samples.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { hashOf } from '../../files/fingerprint.ts';
import type { ClipTowers } from './load-clip.ts';

/**
 * Where nothing is kept, what a CLIP without prompts made last with these options: a linker's visual expert and its gate take
 * the same of a mention's image. Whoever trains the CLIP has options of his own for each call.
 */
const madeLast = new WeakMap<
  FeatureOptions,
  { module: ClipTowers['module']; images: string; table: Promise<FeatureTable> }
>();

/**
 * The features of the images of these numbers by CLIP and the prompts of its layers, a row each. With a cache of null they are
 * not kept beyond the life of `features`.
 */
export function imageTable(
  clip: ClipTowers,
  prompts: readonly Tensor[],
  images: readonly number[],
  features: FeatureOptions,
): Promise<FeatureTable> {
  if (features.cache !== null || prompts.length > 0) return tableOf(clip, prompts, images, features);
  const { module } = clip;
  const last = madeLast.get(features);
  if (last?.module === module && last.images === `${images}`) return last.table;
  const table = tableOf(clip, prompts, images, features);
  madeLast.set(features, { module, images: `${images}`, table });
  table.catch(() => madeLast.delete(features));
  return table;
}

function tableOf(
  { module, config, tensors }: ClipTowers,
  prompts: readonly Tensor[],
  images: readonly number[],
  features: FeatureOptions,
): Promise<FeatureTable> {
  const { source, files, clipHash } = features;
  const { vision, projection } = config;
  const { device } = [...tensors.values()][0]!;
  const key = async () => {
    const stamps = await imageStamps(images.map((image) => files[image]!));
    const values = await Promise.all(prompts.map((tensor) => device.read<'f32'>(tensor)));
    return hashOf(['image', clipHash, JSON.stringify(source.how), ...stamps, ...values]);
  };
  const encoder = {
    device,
    width: vision.width,
    projection,
    tokens: (prompts[0]?.shape[0] ?? 0) + module.vision.tokens,
    encode: (pixels: Tensor) => module.vision.encode(pixels, prompts),
  };
  return keptTable(features, key, encodeImages(encoder, source, images));
}
