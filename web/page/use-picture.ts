// Pictures: thumbnails of entities out of the one file that has them all, and a visitor's picture made fit for the linker.

import { useEffect, useState } from 'preact/hooks';
import type { Pictures } from './site.ts';

/** Of each file of thumbnails, once it is loaded, and the addresses of those that were shown. */
const loaded = new WeakMap<Pictures, { file: Promise<Blob>; addresses: Map<string, string> }>();

async function load({ source }: Pictures): Promise<Blob> {
  return source instanceof Blob ? source : (await fetch(source)).blob();
}

/** The address of an entity's thumbnail; null while it loads, and for an entity without. */
export function useThumbnail(pictures: Pictures, qid: string): string | null {
  const [, setLoaded] = useState(0);
  const place = pictures.places[qid];
  const known = loaded.get(pictures)?.addresses.get(qid) ?? null;
  useEffect(() => {
    if (!place || known) return;
    const own = loaded.get(pictures) ?? { file: load(pictures), addresses: new Map() };
    loaded.set(pictures, own);
    let isGone = false;
    void own.file.then((all) => {
      own.addresses.set(qid, URL.createObjectURL(all.slice(...place, 'image/webp')));
      if (!isGone) setLoaded((count) => count + 1);
    });
    return () => {
      isGone = true;
    };
  }, [pictures, qid, place, known]);
  return known;
}

/** Larger ones take a second to decode, and are seen at 64 pixels in the end. */
const mostPixels = 2_000_000;

/**
 * A picture as the linker takes it: JPEG and PNG as they are, unless they are large; all else that the browser can show as
 * PNG. Throws an Error with a line where it cannot.
 */
export async function readPicture(picture: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(picture).catch(() => {
    throw new Error('this is no picture that the browser can show');
  });
  const { width, height } = bitmap;
  const isPlain = ['image/jpeg', 'image/png'].includes(picture.type);
  if (isPlain && width * height <= mostPixels) return picture;
  const scale = Math.min(1, Math.sqrt(mostPixels / (width * height)));
  const canvas = new OffscreenCanvas(Math.ceil(scale * width), Math.ceil(scale * height));
  canvas.getContext('2d')!.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: 'image/png' });
}
