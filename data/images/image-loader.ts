// Images for the GPU, decoded and preprocessed ahead of it in worker threads (inline where there are none). Chunks come
// in order; a bounded number is in flight, so memory does not grow with the data set.

import type { ImageInput } from './image-input.ts';
import type { Job, SentImage } from './image-worker.ts';
import type { Preprocessing } from './preprocess.ts';
import type { FailedImage, ImageProblems, Pixels } from './read-pixels.ts';
import { readPixels } from './read-pixels.ts';

/** Images `first` to `first + count - 1` of the list, as pixels [count, 3, crop, crop], float32. */
interface PixelChunk {
  first: number;
  count: number;
  pixels: Float32Array<ArrayBuffer>;
  problems: ImageProblems;
  /** The images that are zeros because something is wrong with them; `index` counts within the chunk. */
  failed: FailedImage[];
}

/** The worker's file: the sources are TypeScript, the package is JavaScript. */
const workerFile = import.meta.url.endsWith('.ts') ? './image-worker.ts' : './image-worker.js';

/** How to load: images a chunk, and worker threads (0: decode inline). */
export interface LoadOptions {
  chunk?: number;
  workers?: number;
}

/**
 * Yields the images' pixels in order, chunk after chunk. A missing or unreadable one is zeros, and the chunk's `problems`
 * and `failed` say so: zeros of that kind must not be kept, since the file may be mended. A worker that dies ends the iteration with its error; leaving the loop early ends the workers.
 */
export async function* loadPixels(
  images: readonly ImageInput[],
  how: Preprocessing,
  { chunk = 32, workers = defaultWorkers() }: LoadOptions = {},
): AsyncGenerator<PixelChunk> {
  const starts = Array.from({ length: Math.ceil(images.length / chunk) }, (_, i) => i * chunk);
  const pool = workers > 0 && starts.length > 1 ? await openPool(Math.min(workers, starts.length)) : null;
  const ahead = pool === null ? 1 : 2 * workers;
  const inFlight: Promise<Pixels>[] = [];
  try {
    for (const [i, first] of starts.entries()) {
      while (inFlight.length + i < Math.min(starts.length, i + ahead)) {
        const next = starts[i + inFlight.length]!;
        const part = images.slice(next, next + chunk);
        const work = pool === null ? readPixels(part, how) : pool.run(part, how);
        // Awaited later, in order: until then a failure must not count as unhandled.
        work.catch(() => {});
        inFlight.push(work);
      }
      const waiting = inFlight.shift()!;
      const loaded = pool === null ? await waiting : await pool.whileHeld(waiting);
      yield { first, count: Math.min(chunk, images.length - first), ...loaded };
    }
  } finally {
    await pool?.close();
  }
}

/** Images that a warning names. */
const mostNamed = 5;

/** The sums of two counts. */
export function addProblems(a: ImageProblems, b: ImageProblems): ImageProblems {
  return {
    absent: a.absent + b.absent,
    missing: a.missing + b.missing,
    unreadable: a.unreadable + b.unreadable,
  };
}

/**
 * One line for each kind of image that should be there and is not, for the user to see; `failed` names the first few of
 * each where it is given.
 */
export function problemLines(
  problems: ImageProblems,
  of: string,
  failed: readonly Omit<FailedImage, 'index'>[] = [],
): string[] {
  const line = (count: number, what: 'missing' | 'unreadable'): string[] => {
    if (count === 0) return [];
    const [files, their] = count === 1 ? ['file', 'its'] : ['files', 'their'];
    const known = failed.filter(({ isMissing }) => isMissing === (what === 'missing'));
    const shown = known.slice(0, mostNamed).map(({ problem }) => problem);
    const more = count > shown.length ? `; and ${count - shown.length} more` : '';
    const named = shown.length === 0 ? '' : ` (${shown.join('; ')}${more})`;
    return [`${of}: ${count} image ${files} ${what}, zeros in ${their} place${named}`];
  };
  return [...line(problems.missing, 'missing'), ...line(problems.unreadable, 'unreadable')];
}

/** One thread stays for the caller. A browser has no worker threads, and decodes inline. */
function defaultWorkers(): number {
  if (globalThis.process?.getBuiltinModule === undefined) return 0;
  return Math.max(1, navigator.hardwareConcurrency - 1);
}

interface Waiter {
  resolve: (pixels: Pixels) => void;
  reject: (error: Error) => void;
}
type Answer = { id: number } & ({ error: string } | (Pixels & { error?: never }));

interface Pool {
  run(images: readonly ImageInput[], how: Preprocessing): Promise<Pixels>;
  whileHeld<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Worker threads that jobs go to in turn. They keep the process alive only while `whileHeld` waits for one, so a
 * caller that stops in the middle can still exit.
 */
async function openPool(size: number): Promise<Pool> {
  const { Worker } = await import('node:worker_threads');
  const waiters = new Map<number, Waiter>();
  let failure: Error | null = null;
  let closing = false;
  let jobs = 0;

  const fail = (error: Error): void => {
    failure ??= new Error(`image worker: ${error.message}`);
    for (const waiter of waiters.values()) waiter.reject(failure);
    waiters.clear();
  };
  const answer = ({ id, ...said }: Answer): void => {
    const waiter = waiters.get(id);
    waiters.delete(id);
    if (said.error === undefined) waiter?.resolve(said);
    else waiter?.reject(new Error(`image worker: ${said.error}`));
  };
  const threads = Array.from({ length: size }, () => {
    const thread = new Worker(new URL(workerFile, import.meta.url));
    thread.on('message', answer);
    thread.on('error', fail);
    thread.on('exit', (code) => {
      if (!closing) fail(new Error(`stopped with code ${code}`));
    });
    thread.unref();
    return thread;
  });

  return {
    run(images, how) {
      if (failure !== null) return Promise.reject(failure);
      const sent = images.map((image): SentImage => (image instanceof URL ? { href: image.href } : image));
      const job: Job = { id: jobs, images: sent, how };
      threads[jobs % size]!.postMessage(job);
      jobs += 1;
      return new Promise((resolve, reject) => waiters.set(job.id, { resolve, reject }));
    },
    async whileHeld(work) {
      for (const thread of threads) thread.ref();
      try {
        return await work;
      } finally {
        for (const thread of threads) thread.unref();
      }
    },
    async close() {
      closing = true;
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}
