// A worker thread of image-loader.ts: answers each job {id, files, how} with {id, pixels, problems} or {id, error}.

import { parentPort } from 'node:worker_threads';
import type { Preprocessing } from './preprocess.ts';
import { readPixels } from './read-pixels.ts';

export type Job = { id: number; files: (string | null)[]; how: Preprocessing };

parentPort?.on('message', async ({ id, files, how }: Job) => {
  try {
    const { pixels, problems } = await readPixels(files, how);
    parentPort?.postMessage({ id, pixels, problems }, [pixels.buffer]);
  } catch (error) {
    parentPort?.postMessage({ id, error: String(error) });
  }
});
