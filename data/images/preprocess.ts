// Turns decoded images into a network's input as Hugging Face's CLIPImageProcessor and torchvision's transforms do on
// PIL images: resize the short side and crop the centre, or squash the whole to a square; scale to [0, 1], standardise. The
// resampling is PIL's own, bit for bit: two passes over uint8 with fixed-point weights of 22 bits (Pillow,
// src/libImaging/Resample.c). Knows nothing of files.

import type { RgbImage } from './image.ts';

/** What happens to an image on its way in. `round` places an odd margin: CLIP floors it, torchvision rounds to even. */
export interface Preprocessing {
  /** What the short side is resized to before the crop; null: the image is squashed to crop x crop, and all of it stays. */
  shortSide: number | null;
  crop: number;
  filter: 'bicubic' | 'bilinear';
  round: 'floor' | 'half-even';
  mean: [number, number, number];
  std: [number, number, number];
}

/** Pixels of a resized image, before it is cropped. */
const mostResizedPixels = 50_000_000;

/** CLIP's preprocessing for images of `size` x `size` pixels. */
export function clipPreprocessing(size: number): Preprocessing {
  return {
    shortSide: size,
    crop: size,
    filter: 'bicubic',
    round: 'floor',
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  };
}

/** ALBEF's preprocessing for images of `size` x `size` pixels: CLIP's mean and deviation, but nothing is cropped. */
export function albefPreprocessing(size: number): Preprocessing {
  return { ...clipPreprocessing(size), shortSide: null };
}

/** What torchvision's VGG16 weights were trained with. */
export const vggPreprocessing: Preprocessing = {
  shortSide: 256,
  crop: 224,
  filter: 'bilinear',
  round: 'half-even',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** Writes the image's float32 pixels [3, crop, crop] into `out`. */
export function preprocess(image: RgbImage, how: Preprocessing, out: Float32Array): void {
  const { data } = resizeAndCrop(image, how);
  const plane = how.crop * how.crop;
  if (out.length !== 3 * plane)
    throw new Error(`preprocess: out has ${out.length} values, expected ${3 * plane}`);
  for (let c = 0; c < 3; c += 1) {
    // A table of the 256 possible values, each rounded to float32 where the originals round.
    const values = Float32Array.from({ length: 256 }, (_, byte) =>
      Math.fround(
        Math.fround(Math.fround(byte / 255) - Math.fround(how.mean[c]!)) / Math.fround(how.std[c]!),
      ),
    );
    for (let i = 0; i < plane; i += 1) out[c * plane + i] = values[data[3 * i + c]!]!;
  }
}

/** The uint8 part of preprocessing: [crop, crop, 3]. */
export function resizeAndCrop(image: RgbImage, how: Preprocessing): RgbImage {
  const { width, height } = image;
  const { shortSide: short, filter } = how;
  if (short === null) return resize(image, how.crop, how.crop, filter);
  const long = Math.floor((short * Math.max(width, height)) / Math.min(width, height));
  // A line of pixels would grow to gigabytes.
  if (long * short > mostResizedPixels) throw new Error(`${width} x ${height} pixels are too narrow`);
  const resized = width <= height ? resize(image, short, long, filter) : resize(image, long, short, filter);
  return cropCentre(resized, how.crop, how.round);
}

/**
 * PIL's `Image.resize((width, height), filter)` on an RGB image, antialiased when it shrinks. Rows first, as Pillow has it up to
 * 12; 13 begins with the columns where that is less work, which only a squashed image can tell.
 */
export function resize(
  image: RgbImage,
  width: number,
  height: number,
  filter: Preprocessing['filter'],
): RgbImage {
  let { data } = image;
  if (width !== image.width) {
    data = resampleRows(data, image.height, image.width, width, filter);
  }
  if (height !== image.height) {
    data = resampleColumns(data, width, image.height, height, filter);
  }
  return { width, height, data };
}

function cropCentre(image: RgbImage, size: number, round: Preprocessing['round']): RgbImage {
  const offset = (side: number): number =>
    round === 'floor' ? (side - size) >> 1 : roundHalfEven((side - size) / 2);
  const [left, top] = [offset(image.width), offset(image.height)];
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y += 1) {
    const start = 3 * ((top + y) * image.width + left);
    data.set(image.data.subarray(start, start + 3 * size), 3 * size * y);
  }
  return { width: size, height: size, data };
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}

/** Bits after the point of a weight: 32 less 8 for the sample and 2 for the sum. */
const PRECISION = 22;

const FILTERS = {
  // Keys' cubic convolution, a = -0.5.
  bicubic: {
    support: 2,
    weight(x: number): number {
      const t = Math.abs(x);
      if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
      return t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5 : 0;
    },
  },
  bilinear: {
    support: 1,
    weight: (x: number): number => Math.max(0, 1 - Math.abs(x)),
  },
};

/** For each output position: the first input, how many, and their fixed-point weights (rows of `most`). */
interface Windows {
  most: number;
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array;
}

function windowsOf(from: number, to: number, filter: Preprocessing['filter']): Windows {
  const { support: radius, weight } = FILTERS[filter];
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const support = radius * stretch;
  const most = Math.ceil(support) * 2 + 1;
  const windows = {
    most,
    first: new Int32Array(to),
    count: new Int32Array(to),
    weights: new Int32Array(to * most),
  };
  const inverse = 1 / stretch;
  for (let i = 0; i < to; i += 1) {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(from, Math.trunc(centre + support + 0.5)) - first;
    const raw = Array.from({ length: count }, (_, k) => weight((k + first - centre + 0.5) * inverse));
    const sum = raw.reduce((a, b) => a + b, 0);
    windows.first[i] = first;
    windows.count[i] = count;
    raw.forEach((value, k) => {
      const share = sum === 0 ? value : value / sum;
      windows.weights[i * most + k] = Math.trunc(share * 2 ** PRECISION + (share < 0 ? -0.5 : 0.5));
    });
  }
  return windows;
}

/** [height, from, 3] -> [height, to, 3]. */
function resampleRows(
  data: Uint8Array,
  height: number,
  from: number,
  to: number,
  filter: Preprocessing['filter'],
): Uint8Array {
  const { most, first, count, weights } = windowsOf(from, to, filter);
  const out = new Uint8Array(height * to * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < to; x += 1) {
      const start = 3 * (y * from + first[x]!);
      sumWindow(data, start, 3, weights, x * most, count[x]!, out, 3 * (y * to + x));
    }
  }
  return out;
}

/** [from, width, 3] -> [to, width, 3]. */
function resampleColumns(
  data: Uint8Array,
  width: number,
  from: number,
  to: number,
  filter: Preprocessing['filter'],
): Uint8Array {
  const { most, first, count, weights } = windowsOf(from, to, filter);
  const out = new Uint8Array(to * width * 3);
  for (let y = 0; y < to; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const start = 3 * (first[y]! * width + x);
      sumWindow(data, start, 3 * width, weights, y * most, count[y]!, out, 3 * (y * width + x));
    }
  }
  return out;
}

/** One RGB pixel: the rounded, clipped sum of `count` pixels `stride` apart. */
function sumWindow(
  data: Uint8Array,
  start: number,
  stride: number,
  weights: Int32Array,
  firstWeight: number,
  count: number,
  out: Uint8Array,
  at: number,
): void {
  let red = 1 << (PRECISION - 1);
  let green = red;
  let blue = red;
  for (let k = 0, i = start; k < count; k += 1, i += stride) {
    const weight = weights[firstWeight + k]!;
    red += data[i]! * weight;
    green += data[i + 1]! * weight;
    blue += data[i + 2]! * weight;
  }
  out[at] = clip(red >> PRECISION);
  out[at + 1] = clip(green >> PRECISION);
  out[at + 2] = clip(blue >> PRECISION);
}

function clip(value: number): number {
  return Math.max(0, Math.min(255, value));
}
