// The knowledge base's pictures, as the vision encoder takes them and as the few numbers that it also learns from.

import type { Dataset } from '../../../data/dataset.ts';
import { addProblems, loadPixels } from '../../../data/images/image-loader.ts';
import type { Preprocessing } from '../../../data/images/preprocess.ts';
import type { FailedImage, ImageProblems } from '../../../data/images/read-pixels.ts';
import { noGrad } from '../../../engine/autograd.ts';
import type { Device } from '../../../engine/device.ts';
import type { ClipImageEncoder } from '../../../model/clip/clip.ts';
import { type Metrics, metricsOf } from '../../../ranking/metrics.ts';
import { centred, meanOf, principalAxes, projected, type Rows, unitRows } from '../principal-axes.ts';

/** Pictures that are encoded at a time. */
const chunkPictures = 128;

/** A picture of an entity. */
export interface Picture {
  /** Row of the knowledge base. */
  entity: number;
  /** Normalised pixels [3, size, size]. */
  pixels: Float32Array<ArrayBuffer>;
}

/** Every image that can be read, of lists of files by entity, seen in this way, and those that cannot. */
export async function readPictures(
  images: readonly (readonly string[])[],
  how: Preprocessing,
): Promise<{ pictures: Picture[]; problems: ImageProblems; failed: FailedImage[] }> {
  const wanted = images.flatMap((files, entity) => files.map((file) => ({ entity, file })));
  const files = wanted.map(({ file }) => file);
  const values = 3 * how.crop ** 2;
  const pictures: Picture[] = [];
  let problems: ImageProblems = { absent: 0, missing: 0, unreadable: 0 };
  const failed: FailedImage[] = [];
  for await (const chunk of loadPixels(files, how)) {
    failed.push(...chunk.failed);
    problems = addProblems(problems, chunk.problems);
    for (let i = 0; i < chunk.count; i++) {
      const pixels = chunk.pixels.slice(i * values, (i + 1) * values);
      // An unreadable image is zeros, and teaches nothing.
      if (pixels.some((value) => value !== 0)) {
        pictures.push({ entity: wanted[chunk.first + i]!.entity, pixels });
      }
    }
  }
  return { pictures, problems, failed };
}

/** The pictures of dev's mentions whose entity has one too. */
export async function devPictures(
  { splits }: Dataset,
  pictures: readonly Picture[],
  how: Preprocessing,
): Promise<Picture[]> {
  const pictured = new Set(pictures.map(({ entity }) => entity));
  const mentions = splits.dev.filter(({ image, entity }) => image !== null && pictured.has(entity));
  const read = await readPictures(
    mentions.map(({ image }) => [image!]),
    how,
  );
  return read.pictures.map(({ entity, pixels }) => ({ entity: mentions[entity]!.entity, pixels }));
}

/** How well pictures find the picture of their entity among those of the knowledge base, the best one of each entity. */
export async function judgePictures(
  device: Device,
  encoder: ClipImageEncoder,
  known: readonly Picture[],
  asked: readonly Picture[],
): Promise<Metrics> {
  const [mentions, entities] = [
    await embedsOf(device, encoder, asked),
    await embedsOf(device, encoder, known),
  ];
  const width = encoder.embedWidth;
  const ranks = asked.map(({ entity }, i) => {
    const best = new Map<number, number>();
    known.forEach((picture, j) => {
      let score = 0;
      for (let k = 0; k < width; k++) score += mentions[i * width + k]! * entities[j * width + k]!;
      best.set(picture.entity, Math.max(score, best.get(picture.entity) ?? -2));
    });
    const right = best.get(entity)!;
    return 1 + [...best.values()].filter((score) => score > right).length;
  });
  return metricsOf(ranks);
}

/** Embeds [pictures, d_z]. */
async function embedsOf(
  device: Device,
  encoder: ClipImageEncoder,
  pictures: readonly Picture[],
): Promise<Float32Array<ArrayBuffer>> {
  const { imageSize } = encoder.config;
  const values = new Float32Array(pictures.length * encoder.embedWidth);
  for (let first = 0; first < pictures.length; first += chunkPictures) {
    const chunk = pictures.slice(first, first + chunkPictures);
    const read = device.scope(() => {
      const input = device.tensor([chunk.length, 3, imageSize, imageSize], pixelsOf(chunk));
      return device.read<'f32'>(noGrad(() => encoder.encode(input).embeds));
    });
    values.set(await read, first * encoder.embedWidth);
  }
  return values;
}

/** The pixels of pictures of one size, one after the other: [pictures, 3, size, size]. */
export function pixelsOf(pictures: readonly Picture[]): Float32Array<ArrayBuffer> {
  const each = pictures[0]?.pixels.length ?? 0;
  const all = new Float32Array(pictures.length * each);
  pictures.forEach(({ pixels }, i) => {
    all.set(pixels, i * each);
  });
  return all;
}

/**
 * Pictures as a person sees them from afar: the mean colours of `side` x `side` squares on their first `axes` principal
 * axes, of length 1: [pictures, axes].
 */
export async function pixelFeatures(
  device: Device,
  pictures: readonly Picture[],
  size: number,
  side: number,
  axes: number,
): Promise<Rows> {
  const width = 3 * side * side;
  const values = new Float32Array(pictures.length * width);
  pictures.forEach(({ pixels }, i) => {
    values.set(shrunk(pixels, size, side), i * width);
  });
  const rows = centred({ values, width }, meanOf({ values, width }));
  const { axes: main } = await principalAxes(device, rows, axes);
  return unitRows(await projected(device, rows, { values: main, width }));
}

/** [3, size, size] as [3, side, side], each number the mean of those of its square; sides need not divide. */
export function shrunk(pixels: Float32Array, size: number, side: number): Float32Array {
  const small = new Float32Array(3 * side * side);
  const edge = (k: number) => Math.floor((k * size) / side);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        let sum = 0;
        let count = 0;
        for (let v = edge(y); v < Math.max(edge(y + 1), edge(y) + 1); v++) {
          for (let u = edge(x); u < Math.max(edge(x + 1), edge(x) + 1); u++) {
            sum += pixels[c * size * size + v * size + u]!;
            count++;
          }
        }
        small[(c * side + y) * side + x] = sum / count;
      }
    }
  }
  return small;
}
