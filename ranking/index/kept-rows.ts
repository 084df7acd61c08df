// The rows of an index that are still there when some were taken out: numbered anew without gaps, in their order.

export class KeptRows {
  /** How many are kept. */
  readonly count: number;
  readonly #all: number;
  /** Ascending. */
  readonly #gone: readonly number[];

  /** `all` rows, without those of `gone`, which are ascending, each once. */
  constructor(all: number, gone: readonly number[] = []) {
    this.#all = all;
    this.#gone = gone;
    this.count = all - gone.length;
  }

  /** The row that is number `i` of those kept. */
  rowAt(i: number): number {
    // Before gone[k] there are gone[k] - k rows that are kept.
    return i + this.#firstGone((row, k) => row - k > i);
  }

  /** The number of a row among those kept; null where it was taken out, or is none. */
  numberOf(row: number): number | null {
    const before = this.#firstGone((gone) => gone >= row);
    return row >= this.#all || this.#gone[before] === row ? null : row - before;
  }

  /** The same without one more row. */
  without(row: number): KeptRows {
    if (this.numberOf(row) === null) return this;
    const at = this.#firstGone((gone) => gone >= row);
    return new KeptRows(this.#all, this.#gone.toSpliced(at, 0, row));
  }

  /** The first place in `gone` of which `isBeyond` holds, as it does for all after it. */
  #firstGone(isBeyond: (row: number, place: number) => boolean): number {
    let [low, high] = [0, this.#gone.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBeyond(this.#gone[middle]!, middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
