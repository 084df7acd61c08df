// Images for the GPU, decoded and preprocessed ahead of it in worker threads (inline where there are none). Chunks come
// in order; a bounded number is in flight, so memory does not grow with the data set.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Job } from './image-worker.ts';
import type { Preprocessing } from './preprocess.ts';
import type { ImageProblems, Pixels } from './read-pixels.ts';
import { readPixels } from './read-pixels.ts';

/** Images `first` to `first + count - 1` of the list, as pixels [count, 3, crop, crop], float32. */
export type PixelChunk = {
  first: number;
  count: number;
  pixels: Float32Array<ArrayBuffer>;
  problems: ImageProblems;
};

/** The worker's file: the sources are TypeScript, the package is JavaScript. */
const workerFile = import.meta.url.endsWith('.ts') ? './image-worker.ts' : './image-worker.js';

/** How to load: images a chunk, and worker threads (0: decode inline). */
export type LoadOptions = { chunk?: number; workers?: number };

/**
 * Yields the files' pixels in order, chunk after chunk. A missing or unreadable file is zeros and counted in the
 * chunk's `problems`. A worker that dies ends the iteration with its error; leaving the loop early ends the workers.
 */
export async function* loadPixels(
  files: (string | null)[],
  how: Preprocessing,
  { chunk = 32, workers = defaultWorkers() }: LoadOptions = {},
): AsyncGenerator<PixelChunk> {
  const starts = Array.from({ length: Math.ceil(files.length / chunk) }, (_, i) => i * chunk);
  const pool = workers > 0 && starts.length > 1 ? openPool(Math.min(workers, starts.length)) : null;
  const ahead = pool === null ? 1 : 2 * workers;
  const inFlight: Promise<Pixels>[] = [];
  try {
    for (const [i, first] of starts.entries()) {
      while (inFlight.length + i < Math.min(starts.length, i + ahead)) {
        const next = starts[i + inFlight.length]!;
        const part = files.slice(next, next + chunk);
        const work = pool === null ? readPixels(part, how) : pool.run(part, how);
        // Awaited later, in order: until then a failure must not count as unhandled.
        work.catch(() => {});
        inFlight.push(work);
      }
      const waiting = inFlight.shift()!;
      const { pixels, problems } = pool === null ? await waiting : await pool.whileHeld(waiting);
      yield { first, count: Math.min(chunk, files.length - first), pixels, problems };
    }
  } finally {
    await pool?.close();
  }
}

/** The sums of two counts. */
export function addProblems(a: ImageProblems, b: ImageProblems): ImageProblems {
  return {
    absent: a.absent + b.absent,
    missing: a.missing + b.missing,
    unreadable: a.unreadable + b.unreadable,
  };
}

/** One line for each kind of image that should be there and is not, for the user to see. */
export function problemLines(problems: ImageProblems, of: string): string[] {
  const line = (count: number, what: string): string[] =>
    count === 0
      ? []
      : [
          `${of}: ${count} image ${count === 1 ? 'file' : 'files'} ${what}, zeros in ${count === 1 ? 'its' : 'their'} place`,
        ];
  return [...line(problems.missing, 'missing'), ...line(problems.unreadable, 'unreadable')];
}

function defaultWorkers(): number {
  return Math.max(1, availableParallelism() - 1);
}

type Waiter = { resolve: (pixels: Pixels) => void; reject: (error: Error) => void };
type Answer = { id: number; error?: string } & Partial<Pixels>;

type Pool = {
  run(files: (string | null)[], how: Preprocessing): Promise<Pixels>;
  whileHeld<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/**
 * Worker threads that jobs go to in turn. They keep the process alive only while `whileHeld` waits for one, so a
 * caller that stops in the middle can still exit.
 */
function openPool(size: number): Pool {
  const waiters = new Map<number, Waiter>();
  let failure: Error | null = null;
  let closing = false;
  let jobs = 0;

  const fail = (error: Error): void => {
    failure ??= new Error(`image worker: ${error.message}`);
    for (const waiter of waiters.values()) waiter.reject(failure);
    waiters.clear();
  };
  const answer = ({ id, error, pixels, problems }: Answer): void => {
    const waiter = waiters.get(id);
    waiters.delete(id);
    if (error !== undefined || pixels === undefined || problems === undefined) {
      waiter?.reject(new Error(`image worker: ${error}`));
    } else {
      waiter?.resolve({ pixels, problems });
    }
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
    run(files, how) {
      if (failure !== null) return Promise.reject(failure);
      const job: Job = { id: jobs, files, how };
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
