// Pixels of numbered images, decoded in worker threads ahead of the device and kept in memory while they fit.

import { loadPixels, problemLines } from './image-loader.ts';
import type { Preprocessing } from './preprocess.ts';
import type { ImageProblems } from './read-pixels.ts';

/** Pixels that are kept decoded, in bytes. */
const mostKeptBytes = 2 ** 30;

export class PixelSource {
  #files: readonly (string | null)[];
  readonly how: Preprocessing;
  #kept = new Map<number, Float32Array<ArrayBuffer>>();
  #problems: ImageProblems = { absent: 0, missing: 0, unreadable: 0 };

  /** `files`: the images by number; null is a zero image. */
  constructor(files: readonly (string | null)[], how: Preprocessing) {
    this.#files = files;
    this.how = how;
  }

  /** Height and width of an image. */
  get size(): number {
    return this.how.crop;
  }

  /** Yields the pixels [n, 3, size, size] of each group of images in turn; zeros for what cannot be read. */
  async *groups(groups: readonly (readonly number[])[]): AsyncGenerator<Float32Array<ArrayBuffer>> {
    const size = 3 * this.size * this.size;
    const most = Math.max(...groups.map((group) => group.length));
    // Groups of one size make chunks of the loader; what is kept need not be read again.
    const files = groups.flatMap((group) =>
      Array.from({ length: most }, (_, i) => {
        const image = group[i];
        return image === undefined || this.#kept.has(image) ? null : this.#files[image]!;
      }),
    );
    const isKept = files.every((file) => file === null);
    const chunks = loadPixels(files, this.how, isKept ? { chunk: most, workers: 0 } : { chunk: most });
    let next = 0;
    for await (const { pixels, problems } of chunks) {
      const group = groups[next++]!;
      this.#count(problems);
      group.forEach((image, i) => {
        const own = pixels.subarray(i * size, (i + 1) * size);
        const kept = this.#kept.get(image);
        if (kept) own.set(kept);
        else if (this.#files[image] !== null && this.#kept.size * size * 4 < mostKeptBytes) {
          this.#kept.set(image, own.slice());
        }
      });
      yield pixels.subarray(0, group.length * size);
    }
  }

  /** What was wrong with the files since the last call, a line a kind. */
  takeProblems(of: string): string[] {
    const lines = problemLines(this.#problems, of);
    this.#problems = { absent: 0, missing: 0, unreadable: 0 };
    return lines;
  }

  #count({ missing, unreadable }: ImageProblems): void {
    this.#problems.missing += missing;
    this.#problems.unreadable += unreadable;
  }
}
