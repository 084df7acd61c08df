// One image file -> a network's input, or zeros with the reason counted. What image-loader.ts and its workers run.

import { readFile } from 'node:fs/promises';
import { decodeImage } from './image.ts';
import type { Preprocessing } from './preprocess.ts';
import { preprocess } from './preprocess.ts';

/**
 * Images that are zero tensors: `absent` have no image by the data set, `missing` is a file that is not there,
 * `unreadable` one that cannot be read or decoded.
 */
export type ImageProblems = { absent: number; missing: number; unreadable: number };

/** Pixels [files.length, 3, crop, crop], float32. */
export type Pixels = { pixels: Float32Array<ArrayBuffer>; problems: ImageProblems };

/** Reads, decodes and preprocesses each file in turn; null is an absent image. Never throws for an image's sake. */
export async function readPixels(files: (string | null)[], how: Preprocessing): Promise<Pixels> {
  const size = 3 * how.crop * how.crop;
  const pixels = new Float32Array(files.length * size);
  const problems: ImageProblems = { absent: 0, missing: 0, unreadable: 0 };
  for (const [i, file] of files.entries()) {
    if (file === null) {
      problems.absent += 1;
      continue;
    }
    const out = pixels.subarray(i * size, (i + 1) * size);
    try {
      preprocess(await decodeImage(await readFile(file)), how, out);
    } catch (error) {
      out.fill(0);
      problems[(error as { code?: string }).code === 'ENOENT' ? 'missing' : 'unreadable'] += 1;
    }
  }
  return { pixels, problems };
}
