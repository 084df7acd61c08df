// A vision encoder that begins as the pixels: untrained, its embedding is what each patch shows, patch by patch, on the
// principal axes of patches. A random beginning finds a picture again half as well as plain pixels do, and hundreds of steps
// do not make up for that.
//
// There are as many heads as patches. In layer 0 head i lets CLS read patch i: a token's position marks its patch by a number
// of its own, which query and key compare, and the value passes on the patch's axes, the first width / heads numbers of
// its token. Output and projection are the identity, and what other layers add is a tenth of the usual.

import { noGrad } from '../../../engine/autograd.ts';
import type { Device } from '../../../engine/device.ts';
import { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { ClipImageEncoder } from '../../../model/clip/clip.ts';
import type { ParameterSpec, Start } from '../../../model/parameter-source.ts';
import { normalNumbers } from '../normal-numbers.ts';
import { centred, identity, meanOf, principalAxes, projected, type Rows } from '../principal-axes.ts';
import { type Picture, pixelsOf, shrunk } from './pictures.ts';

/** A patch is seen as so many squares along each side. */
export const patchSquares = 8;
/** What marks a position, beside which the patch's axes, of deviation 1, leave the LayerNorm's scale nearly as it is. */
const mark = 8;
/** Pictures that centre the embedding. */
const mostCentring = 256;

/** How parameters start that `writePixelStart` does not write. */
export function pixelStart(name: string, spec: ParameterSpec): Start {
  if (!('deviation' in spec.start) || !name.startsWith('vision_model.encoder')) return spec.start;
  if (/layers\.0\.self_attn\.[qkv]_proj\.weight$/.test(name))
    return { deviation: 0.1 * spec.start.deviation };
  if (/(out_proj|fc2)\.weight$/.test(name)) return { deviation: 0.1 * spec.start.deviation };
  return spec.start;
}

/** Makes an encoder, initialised by `pixelStart`, begin as the pixels of these pictures. */
export async function writePixelStart(
  device: Device,
  encoder: ClipImageEncoder,
  tensors: ReadonlyMap<string, Tensor>,
  pictures: readonly Picture[],
  seed: number,
): Promise<void> {
  const { width, heads, patchSize } = encoder.config;
  const axes = width / heads;
  const patches = encoder.tokens - 1;
  const random = new Random(seed);
  const noise = (n: number, deviation: number) => normalNumbers(random, n, deviation);
  const { kernel, offset } = await patchAxes(device, encoder, pictures, axes);

  const weight = noise(width * 3 * patchSize ** 2, 1e-4);
  kernel.forEach((value, i) => {
    weight[i]! += value;
  });
  // Token 0 is CLS, whose mark is the last.
  const positions = noise(encoder.tokens * width, 0.02);
  const markOf = (token: number) => axes + (token === 0 ? patches : token - 1);
  for (let token = 0; token <= patches; token++) {
    positions[token * width + markOf(token)]! += mark;
    if (token === 0) continue;
    offset.forEach((value, j) => {
      positions[token * width + j]! += value;
    });
  }
  const write = (name: string, values: Float32Array<ArrayBuffer>) => {
    device.write(tensors.get(name)!, values);
  };
  write('vision_model.embeddings.patch_embedding.weight', weight);
  write('vision_model.embeddings.position_embedding.weight', positions);
  write('vision_model.embeddings.class_embedding', new Float32Array(width));
  write('visual_projection.weight', identity(encoder.embedWidth, width));
  const attention = 'vision_model.encoder.layers.0.self_attn';
  write(`${attention}.out_proj.weight`, identity(width, width));
  const add = async (name: string, entries: (head: number) => [row: number, column: number][]) => {
    const tensor = tensors.get(`${attention}.${name}_proj.weight`)!;
    const values = await device.read<'f32'>(tensor);
    for (let head = 0; head < heads; head++) {
      for (const [row, column] of entries(head)) values[row * width + column]! += 1;
    }
    device.write(tensor, values);
  };
  await add('q', (head) => [[head * axes, markOf(0)]]);
  await add('k', (head) => [[head * axes, markOf(head + 1)]]);
  await add('v', (head) => Array.from({ length: axes }, (_, j) => [head * axes + j, j]));
  write('vision_model.post_layernorm.bias', await centre(device, encoder, pictures));
}

/**
 * The principal axes of patches as a convolution [axes, 3, patch, patch], scaled so that what it gives has deviation 1, and
 * what centres that: [axes].
 */
async function patchAxes(
  device: Device,
  { config: { imageSize, patchSize } }: ClipImageEncoder,
  pictures: readonly Picture[],
  count: number,
) {
  const side = Math.floor(imageSize / patchSize);
  const area = patchSquares ** 2;
  const width = 3 * area;
  const values = new Float32Array(pictures.length * side * side * width);
  pictures.forEach(({ pixels }, i) => {
    for (let patch = 0; patch < side * side; patch++) {
      const [top, left] = [Math.floor(patch / side) * patchSize, (patch % side) * patchSize];
      const seen = shrunk(cropped(pixels, imageSize, top, left, patchSize), patchSize, patchSquares);
      values.set(seen, (i * side * side + patch) * width);
    }
  });
  const mean = meanOf({ values, width });
  const rows = centred({ values, width }, mean);
  const { axes } = await principalAxes(device, rows, count);
  const scale = 1 / deviation(await projected(device, rows, { values: axes, width }));
  const squareSide = patchSize / patchSquares;
  const kernel = new Float32Array(count * 3 * patchSize ** 2).map((_, i) => {
    const [x, y] = [i % patchSize, Math.floor(i / patchSize) % patchSize];
    const plane = Math.floor(i / patchSize ** 2); // axis and colour
    const square = Math.floor(y / squareSide) * patchSquares + Math.floor(x / squareSide);
    return (axes[plane * area + square]! * scale) / squareSide ** 2;
  });
  const offset = Array.from(
    { length: count },
    (_, axis) => -scale * mean.reduce((sum, value, j) => sum + value * axes[axis * width + j]!, 0),
  );
  return { kernel, offset };
}

/** What the last LayerNorm has to add, so that the mean picture is 0. */
async function centre(
  device: Device,
  encoder: ClipImageEncoder,
  pictures: readonly Picture[],
): Promise<Float32Array<ArrayBuffer>> {
  const some = pictures.slice(0, mostCentring);
  const { imageSize, width } = encoder.config;
  const tokens = await device.scope(() => {
    const pixels = device.tensor([some.length, 3, imageSize, imageSize], pixelsOf(some));
    return device.read<'f32'>(noGrad(() => encoder.encode(pixels).tokens));
  });
  const mean = new Float32Array(width);
  some.forEach((_, i) => {
    const cls = tokens.subarray(i * encoder.tokens * width, i * encoder.tokens * width + width);
    const own = cls.reduce((sum, value) => sum + value, 0) / width;
    const spread = deviation({ values: cls.map((value) => value - own), width });
    cls.forEach((value, j) => {
      mean[j]! -= (value - own) / spread / some.length;
    });
  });
  return mean;
}

/** The root of the mean square. */
function deviation({ values }: Rows): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

/** A square of an image [3, size, size]. */
function cropped(
  pixels: Float32Array,
  size: number,
  top: number,
  left: number,
  side: number,
): Float32Array<ArrayBuffer> {
  return new Float32Array(3 * side * side).map((_, i) => {
    const [x, y] = [i % side, Math.floor(i / side) % side];
    const colour = Math.floor(i / side ** 2);
    return pixels[(colour * size + top + y) * size + left + x]!;
  });
}
