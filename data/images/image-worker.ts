// A worker thread of image-loader.ts: answers each job {id, images, how} with {id, ...pixels} or {id, error}.

import { parentPort } from 'node:worker_threads';
import type { Preprocessing } from './preprocess.ts';
import { readPixels } from './read-pixels.ts';

/** An image as it travels between threads: a URL does not, so its address does. */
export type SentImage = string | Uint8Array | Blob | { href: string } | null;
export interface Job {
  id: number;
  images: SentImage[];
  how: Preprocessing;
}

parentPort?.on('message', async ({ id, images, how }: Job) => {
  try {
    const inputs = images.map((image) =>
      image !== null && typeof image === 'object' && 'href' in image ? new URL(image.href) : image,
    );
    const answer = await readPixels(inputs, how);
    parentPort?.postMessage({ id, ...answer }, [answer.pixels.buffer]);
  } catch (error) {
    parentPort?.postMessage({ id, error: String(error) });
  }
});
