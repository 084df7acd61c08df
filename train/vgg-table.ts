// VGG16's fc7 of every image of a data set: the gate's image feature in the paper (--gate-image vgg --vgg FILE).

import { existsSync } from 'node:fs';
import { vggPreprocessing } from '../data/preprocess.ts';
import type { Tensor } from '../engine/tensor.ts';
import { Parameters } from '../model/parameters.ts';
import { vgg16, vggFeatures } from '../model/vgg.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import { UsageError } from './flags.ts';
import { PixelSource } from './pixels.ts';
import type { Run } from './run.ts';

const batch = 16;

/** Features [images, 4096] by the weights in `file`, a safetensors file with torchvision's names. */
export async function vggTable(
  { device, corpus }: Run,
  file: string,
): Promise<{ data: Float32Array<ArrayBuffer>; width: number }> {
  if (!existsSync(file)) {
    throw new UsageError(`--vgg ${file}: no such file; --gate-image clip needs none`);
  }
  const tensors = new Map<string, Tensor>();
  const weights = await openSafetensors(file);
  try {
    for (const name of weights.names.filter((name) => /^(features|classifier\.[03])\b/.test(name))) {
      tensors.set(name, device.tensor(weights.info(name).shape, await weights.readFloats(name), { name }));
    }
  } finally {
    await weights.close();
  }
  const source = new PixelSource(corpus.files, vggPreprocessing);
  const images = [...corpus.files.keys()];
  const groups = Array.from({ length: Math.ceil(images.length / batch) }, (_, i) =>
    images.slice(i * batch, (i + 1) * batch),
  );
  const data = new Float32Array(images.length * vgg16.hidden);
  let first = 0;
  for await (const pixels of source.groups(groups)) {
    const n = pixels.length / (3 * source.size ** 2);
    const read = device.scope(() => {
      const input = device.tensor([n, 3, source.size, source.size], pixels, { name: 'pixels' });
      return device.read<'f32'>(vggFeatures(new Parameters(tensors), vgg16, input));
    });
    data.set(await read, first * vgg16.hidden);
    first += n;
  }
  for (const tensor of tensors.values()) tensor.release();
  return { data, width: vgg16.hidden };
}
