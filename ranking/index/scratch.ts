// Memory that is used again: a pass through an index reads megabytes a block, and arrays that are made anew each time cost
// the garbage collector as much time as the reading.

/** Arrays that wait to be used again, at most. */
const mostKept = 16;
/** Smaller ones are cheap to make, and may be wanted by the thousand at once. */
const leastBytes = 2 ** 18;

export class Scratch {
  /** The last given back first. */
  #kept: Uint8Array<ArrayBuffer>[] = [];

  /** Memory of at least so many bytes, whatever is in it. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    const at = this.#kept.findIndex(({ length }) => length >= bytes && length <= 2 * bytes);
    if (at < 0) return new Uint8Array(bytes);
    const [found] = this.#kept.splice(at, 1);
    return found!;
  }

  /** What was taken is no longer used by anyone. */
  give(memory: Uint8Array<ArrayBuffer>): void {
    if (memory.length >= leastBytes) this.#kept = [memory, ...this.#kept].slice(0, mostKept);
  }
}
