// Small pictures of entities for the page: one file for all of them, since hundreds of requests would take longer.

import { readFile } from 'node:fs/promises';
import { decodeImage } from '../../data/images/image.ts';
import { readImage } from '../../data/images/image-input.ts';
import { clipPreprocessing, resizeAndCrop } from '../../data/images/preprocess.ts';
import { oneLine } from '../../files/errors.ts';

/** Pixels of a side; the page shows them at up to this size. */
const side = 72;
const quality = 60;

export interface Thumbnails {
  bytes: Uint8Array;
  /** By entity, where its own begins and ends. */
  places: Record<string, [first: number, end: number]>;
}

/** Makes the thumbnails of the entities' first pictures, as WebP; tells of pictures that cannot be read. */
export async function makeThumbnails(
  entities: Iterable<{ qid: string; images: readonly string[] }>,
  onWarning: (line: string) => void,
): Promise<Thumbnails> {
  const encoder = await openEncoder();
  const parts: Uint8Array[] = [];
  const places: Thumbnails['places'] = {};
  let length = 0;
  for (const { qid, images } of entities) {
    const [image] = images;
    if (image === undefined) continue;
    try {
      const part = await thumbnail(image, encoder);
      places[qid] = [length, length + part.length];
      parts.push(part);
      length += part.length;
    } catch (error) {
      onWarning(`${image}: no thumbnail: ${oneLine((error as Error).message)}`);
    }
  }
  return { bytes: Buffer.concat(parts), places };
}

type Encode = (rgba: Uint8ClampedArray) => Uint8Array;

async function thumbnail(path: string, encode: Encode): Promise<Uint8Array> {
  const { data } = resizeAndCrop(await decodeImage(await readImage(path)), clipPreprocessing(side));
  const rgba = new Uint8ClampedArray(4 * side * side).fill(255);
  for (let i = 0; i < side * side; i++) rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
  return encode(rgba);
}

async function openEncoder(): Promise<Encode> {
  const [{ default: factory }, { initEmscriptenModule }, { defaultOptions }] = await Promise.all([
    import('@jsquash/webp/codec/enc/webp_enc.js'),
    import('@jsquash/webp/utils.js'),
    import('@jsquash/webp/meta.js'),
  ]);
  const wasm = await readFile(new URL(import.meta.resolve('@jsquash/webp/codec/enc/webp_enc.wasm')));
  const module = await initEmscriptenModule(factory, await WebAssembly.compile(wasm));
  return (rgba) => {
    // The codec takes any view of bytes; its declaration names one of them.
    const found = module.encode(rgba as unknown as BufferSource, side, side, { ...defaultOptions, quality });
    if (!found) throw new Error('the encoder gave nothing');
    return new Uint8Array(found as unknown as ArrayBuffer);
  };
}
