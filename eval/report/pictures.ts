// Pictures of the data set as data URIs, made smaller where they are large. Never fails for a picture's sake.

import { Buffer } from 'node:buffer';
import jpeg from 'jpeg-js';
import { decodeImage } from '../../data/images/image.ts';
import { readImage } from '../../data/images/image-input.ts';
import { resizeAndCrop } from '../../data/images/preprocess.ts';

/** A file of more bytes than this becomes a small JPEG. */
const largeFile = 24_000;
/** Side of that, in pixels: twice what the page shows. */
const smallSide = 224;

/** A data URI, or why there is none. */
export type Picture = { uri: string } | { problem: 'no picture' | 'unreadable picture' };

/** The picture in the file at `path`; null has none. */
export async function readPicture(path: string | null): Promise<Picture> {
  if (path === null) return { problem: 'no picture' };
  try {
    const bytes = await readImage(path);
    const image = await decodeImage(bytes);
    if (bytes.length <= largeFile) return { uri: dataUri(typeOf(bytes), bytes) };
    const how = { shortSide: smallSide, crop: smallSide, filter: 'bicubic', round: 'floor' } as const;
    const { data } = resizeAndCrop(image, { ...how, mean: [0, 0, 0], std: [1, 1, 1] });
    const rgba = new Uint8Array(4 * smallSide * smallSide).fill(255);
    for (let i = 0; i < smallSide * smallSide; i++) rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    const small = jpeg.encode({ data: rgba, width: smallSide, height: smallSide }, 80).data;
    return { uri: dataUri('image/jpeg', small) };
  } catch {
    return { problem: 'unreadable picture' };
  }
}

function dataUri(type: string, bytes: Uint8Array): string {
  return `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
}

/** Of a file that could be decoded. */
function typeOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff) return 'image/jpeg';
  return bytes[0] === 0x89 ? 'image/png' : 'image/webp';
}
