// Pictures: thumbnails of entities out of the one file that has them all, and a visitor's picture made fit for the linker.

import { useEffect, useState } from 'preact/hooks';
import type { Site } from './site.ts';

let file: Promise<Blob> | null = null;
const addresses = new Map<string, string>();

/** Loads the thumbnails, once. */
async function loadThumbnails({ pictures }: Site): Promise<Blob> {
  file ??= fetch(pictures.path).then((response) => response.blob());
  return file;
}

/** The address of an entity's thumbnail; null while it loads, and for an entity without. */
export function useThumbnail(site: Site, qid: string): string | null {
  const [, setLoaded] = useState(0);
  const place = site.pictures.places[qid];
  useEffect(() => {
    if (!place || addresses.has(qid)) return;
    let isGone = false;
    void loadThumbnails(site).then((all) => {
      addresses.set(qid, URL.createObjectURL(all.slice(...place, 'image/webp')));
      if (!isGone) setLoaded((count) => count + 1);
    });
    return () => {
      isGone = true;
    };
  }, [site, qid, place]);
  return addresses.get(qid) ?? null;
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
