// Images -> a network's input, or zeros and the reason. What image-loader.ts, its workers and the linker run.

import { InputError, MissingFileError, oneLine, visible } from '../../files/errors.ts';
import { type ImageInput, imageName, readImage } from './image-input.ts';
import type { Preprocessing } from './preprocess.ts';
import { preprocess } from './preprocess.ts';

/**
 * Images that are zero tensors: `absent` have no image by the data set, `missing` is a file that is not there,
 * `unreadable` one that cannot be read or decoded.
 */
export interface ImageProblems {
  absent: number;
  missing: number;
  unreadable: number;
}

/** An image that should be there and is not: its place in the list, and why, in one line with its name. */
export interface FailedImage {
  index: number;
  problem: string;
  isMissing: boolean;
}

/** Pixels [images.length, 3, crop, crop], float32; zeros for those that failed. */
export interface Pixels {
  pixels: Float32Array<ArrayBuffer>;
  problems: ImageProblems;
  failed: FailedImage[];
}

/** Reads, decodes and preprocesses each image in turn; null is an absent one. Never throws for an image's sake. */
export async function readPixels(images: readonly ImageInput[], how: Preprocessing): Promise<Pixels> {
  const size = 3 * how.crop * how.crop;
  const pixels = new Float32Array(images.length * size);
  const problems: ImageProblems = { absent: 0, missing: 0, unreadable: 0 };
  const failed: FailedImage[] = [];
  for (const [index, image] of images.entries()) {
    if (image === null) {
      problems.absent += 1;
      continue;
    }
    const failure = await decodeInto(image, how, pixels.subarray(index * size, (index + 1) * size));
    if (failure === null) continue;
    failed.push({ index, ...failure });
    problems[failure.isMissing ? 'missing' : 'unreadable'] += 1;
  }
  return { pixels, problems, failed };
}

/**
 * One image's pixels [3, crop, crop], zeros for null; or the problem with it, one line with its name. Never throws for an
 * image's sake.
 */
export async function decodeInput(
  image: ImageInput,
  how: Preprocessing,
): Promise<{ pixels: Float32Array<ArrayBuffer> } | { problem: string }> {
  const { pixels, failed } = await readPixels([image], how);
  return failed.length === 0 ? { pixels } : { problem: failed[0]!.problem };
}

/** Fills `out` with the image's pixels; with zeros where it fails. */
async function decodeInto(
  image: Exclude<ImageInput, null>,
  how: Preprocessing,
  out: Float32Array,
): Promise<Omit<FailedImage, 'index'> | null> {
  try {
    // Not at the top: the decoders take 15 ms to load, which those who have no image need not wait for.
    const { decodeImage } = await import('./image.ts');
    preprocess(await decodeImage(await readImage(image)), how, out);
    return null;
  } catch (error) {
    out.fill(0);
    // What reads gives the image its name; decoders know bytes only.
    const problem =
      error instanceof InputError
        ? error.message
        : visible(`${imageName(image)}: ${oneLine((error as Error).message ?? String(error))}`);
    return { problem, isMissing: error instanceof MissingFileError };
  }
}
