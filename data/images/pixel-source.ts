// Pixels of numbered images, decoded in worker threads ahead of the device and kept in memory while they fit.

import type { ImageInput } from './image-input.ts';
import { loadPixels, problemLines } from './image-loader.ts';
import type { Preprocessing } from './preprocess.ts';
import type { FailedImage } from './read-pixels.ts';

/** Pixels that are kept decoded, in bytes. */
const mostKeptBytes = 2 ** 30;

export class PixelSource {
  #images: readonly ImageInput[];
  readonly how: Preprocessing;
  #kept = new Map<number, Float32Array<ArrayBuffer>>();
  /** What failed since the last telling, by image number. */
  #failed = new Map<number, Omit<FailedImage, 'index'>>();
  #others = new Map<string, PixelSource>();

  /** `images`: the images by number; null is a zero image. */
  constructor(images: readonly ImageInput[], how: Preprocessing) {
    this.#images = images;
    this.how = how;
  }

  /** The same images seen in another way, always by the same source; either tells what failed with one of them. */
  seenAs(how: Preprocessing): PixelSource {
    const key = JSON.stringify(how);
    const known = this.#others.get(key);
    if (known) return known;
    const other = new PixelSource(this.#images, how);
    other.#failed = this.#failed;
    this.#others.set(key, other);
    return other;
  }

  /** Height and width of an image. */
  get size(): number {
    return this.how.crop;
  }

  /**
   * Yields the pixels [n, 3, size, size] of each group of images in turn; zeros for what cannot be read, which is tried
   * again each time. `failed` says which those are.
   */
  async *groups(groups: readonly (readonly number[])[]): AsyncGenerator<Float32Array<ArrayBuffer>> {
    const size = 3 * this.size * this.size;
    const most = Math.max(...groups.map((group) => group.length));
    // Groups of one size make chunks of the loader; what is kept need not be read again.
    const images = groups.flatMap((group) =>
      Array.from({ length: most }, (_, i) => {
        const image = group[i];
        return image === undefined || this.#kept.has(image) ? null : this.#images[image]!;
      }),
    );
    const isKept = images.every((image) => image === null);
    const chunks = loadPixels(images, this.how, isKept ? { chunk: most, workers: 0 } : { chunk: most });
    let next = 0;
    for await (const { pixels, failed } of chunks) {
      const group = groups[next++]!;
      const failures = new Set(failed.map(({ index }) => group[index]!));
      for (const { index, ...failure } of failed) this.#failed.set(group[index]!, failure);
      group.forEach((image, i) => {
        const own = pixels.subarray(i * size, (i + 1) * size);
        const kept = this.#kept.get(image);
        const isToKeep = this.#images[image] !== null && !failures.has(image);
        if (kept) own.set(kept);
        else if (isToKeep && this.#kept.size * size * 4 < mostKeptBytes) {
          this.#kept.set(image, own.slice());
        }
      });
      yield pixels.subarray(0, group.length * size);
    }
  }

  /** Numbers of the images that failed since `takeProblems` was last called: features of them must not be kept. */
  get failed(): ReadonlySet<number> {
    return new Set(this.#failed.keys());
  }

  /** What was wrong with each image that failed since the last call, in a line, by its number. */
  takeFailures(): Map<number, string> {
    const lines = new Map([...this.#failed].map(([image, { problem }]) => [image, problem]));
    this.#failed.clear();
    return lines;
  }

  /** What was wrong with the images since the last call, a line a kind with the first one's name. */
  takeProblems(of: string): string[] {
    const failed = [...this.#failed.values()];
    this.#failed.clear();
    const missing = failed.filter(({ isMissing }) => isMissing).length;
    return problemLines({ absent: 0, missing, unreadable: failed.length - missing }, of, failed);
  }
}
