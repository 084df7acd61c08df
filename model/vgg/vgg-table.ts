// VGG16's fc7 of images: the gate's image feature in the paper (--gate-image vgg --vgg FILE).

import type { PixelSource } from '../../data/images/pixel-source.ts';
import { vggPreprocessing } from '../../data/images/preprocess.ts';
import { keptTable } from '../../encoding/feature-cache.ts';
import {
  type FeatureOptions,
  type FeatureTable,
  imageFailures,
  type TableToMake,
} from '../../encoding/features.ts';
import { fileStamp, imageStamps } from '../../encoding/samples.ts';
import type { Device } from '../../engine/device.ts';
import { UsageError } from '../../files/errors.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { isThere } from '../../files/locate.ts';
import { loadVgg } from './load-vgg.ts';
import { vgg16 } from './vgg.ts';

const batch = 16;

/**
 * The features of the images of these numbers by the weights in `file`, a safetensors file with torchvision's or timm's
 * names: one token an image, its fc7, 4096 wide; embeds are zeros, since VGG has no common space. They are kept in the
 * run's cache of features. Throws UsageError without the file.
 */
export async function vggTable(
  device: Device,
  file: string,
  images: readonly number[],
  features: FeatureOptions,
): Promise<FeatureTable> {
  const { files } = features;
  if (!(await isThere(file))) {
    throw new UsageError(
      `VGG16's weights: ${file}: no such file; dsmip download vgg16 fetches it, CLIP's own image feature needs none`,
    );
  }
  const key = async () => {
    const stamps = await imageStamps(images.map((image) => files[image]!));
    return hashOf(['vgg', JSON.stringify([vgg16, vggPreprocessing]), await fileStamp(file), ...stamps]);
  };
  // Not another source: whoever asks this one what could not be read is told of these as well.
  const source = features.source.seenAs(vggPreprocessing);
  return keptTable(features, key, tableOf(device, file, source, images));
}

function tableOf(device: Device, file: string, source: PixelSource, images: readonly number[]): TableToMake {
  async function* rows() {
    const { module: vgg, tensors } = await loadVgg(device, file);
    const groups = Array.from({ length: Math.ceil(images.length / batch) }, (_, i) =>
      images.slice(i * batch, (i + 1) * batch),
    );
    for await (const pixels of source.groups(groups)) {
      const n = pixels.length / (3 * source.size ** 2);
      const read = device.scope(() => {
        const input = device.tensor([n, 3, source.size, source.size], pixels, { name: 'pixels' });
        return device.read<'f32'>(vgg.encode(input));
      });
      yield { tokens: await read, embeds: new Float32Array(n) };
    }
    for (const tensor of tensors.values()) tensor.release();
  }
  return {
    offsets: Int32Array.from({ length: images.length + 1 }, (_, row) => row),
    width: vgg16.hidden,
    projection: 1,
    rows,
    failures: imageFailures(source, images),
  };
}
