// Thumbnails of a visitor's entities, made by the browser, in one file as those of the site are.

import type { Entity } from '../../../data/entity-mention.ts';
import { readImage } from '../../../data/images/image-input.ts';
import { joinedBytes } from '../../../files/joined-bytes.ts';
import type { Pictures } from '../site.ts';

/** Pixels of a side, as the page shows them. */
const side = 72;

export async function makeThumbnails(
  entities: AsyncIterable<Entity>,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; places: Pictures['places'] }> {
  const places: Record<string, [first: number, end: number]> = {};
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const { qid, images } of entities) {
    const part = images[0] === undefined ? null : await thumbnailOf(images[0]);
    if (!part) continue;
    places[qid] = [length, length + part.length];
    parts.push(part);
    length += part.length;
  }
  return { bytes: joinedBytes(parts), places };
}

/** Null for a picture that is missing or that the browser cannot show: whoever encodes it tells of that. */
async function thumbnailOf(path: string): Promise<Uint8Array | null> {
  try {
    const bitmap = await createImageBitmap(new Blob([(await readImage(path)).slice()]));
    const canvas = new OffscreenCanvas(side, side);
    // The middle square, as the encoder sees it.
    const scale = side / Math.min(bitmap.width, bitmap.height);
    const [width, height] = [scale * bitmap.width, scale * bitmap.height];
    canvas.getContext('2d')!.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
    bitmap.close();
    const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.6 });
    return new Uint8Array(await blob.arrayBuffer());
  } catch {
    return null;
  }
}
