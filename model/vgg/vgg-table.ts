// VGG16's fc7 of images: the gate's image feature in the paper (--gate-image vgg --vgg FILE).

import { existsSync } from 'node:fs';
import { PixelSource } from '../../data/images/pixel-source.ts';
import { vggPreprocessing } from '../../data/images/preprocess.ts';
import { cachedTable } from '../../encoding/feature-cache.ts';
import type { FeatureOptions, MemoryTable } from '../../encoding/features.ts';
import { fileStamp } from '../../encoding/samples.ts';
import type { Device } from '../../engine/device.ts';
import { UsageError } from '../../files/errors.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { loadVgg } from './load-vgg.ts';
import { vgg16 } from './vgg.ts';

const batch = 16;

/**
 * Features [images, 4096] by the weights in `file`, a safetensors file with torchvision's or timm's names. They are kept
 * in the run's cache of features.
 */
export async function vggTable(
  device: Device,
  file: string,
  files: readonly (string | null)[],
  { cache }: Pick<FeatureOptions, 'cache'>,
): Promise<{ data: Float32Array<ArrayBuffer>; width: number }> {
  if (!existsSync(file)) {
    throw new UsageError(
      `--vgg ${file}: no such file; weights/download.ts vgg16 fetches it, --gate-image clip needs none`,
    );
  }
  const stamps = await Promise.all([file, ...files].map(fileStamp));
  const key = hashOf(['vgg', JSON.stringify([vgg16, vggPreprocessing]), ...stamps]);
  const { tokens, width } = await cachedTable(cache, key, () => build(device, file, files));
  return { data: tokens, width };
}

/** A table of one token an image, its fc7; embeds are zeros, since VGG has no common space. */
async function build(device: Device, file: string, files: readonly (string | null)[]): Promise<MemoryTable> {
  const { module: vgg, tensors } = await loadVgg(device, file);
  const source = new PixelSource(files, vggPreprocessing);
  const images = [...files.keys()];
  const groups = Array.from({ length: Math.ceil(images.length / batch) }, (_, i) =>
    images.slice(i * batch, (i + 1) * batch),
  );
  const tokens = new Float32Array(images.length * vgg16.hidden);
  let first = 0;
  for await (const pixels of source.groups(groups)) {
    const n = pixels.length / (3 * source.size ** 2);
    const read = device.scope(() => {
      const input = device.tensor([n, 3, source.size, source.size], pixels, { name: 'pixels' });
      return device.read<'f32'>(vgg.encode(input));
    });
    tokens.set(await read, first * vgg16.hidden);
    first += n;
  }
  for (const tensor of tensors.values()) tensor.release();
  return {
    tokens,
    width: vgg16.hidden,
    embeds: new Float32Array(images.length),
    projection: 1,
    offsets: Int32Array.from({ length: images.length + 1 }, (_, row) => row),
  };
}
