// Pieces of work that must not be done at the same time, in the order in which they come.

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does the work once all before it is done, or has failed. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
