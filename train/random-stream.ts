// Random choices on the host, from the engine's generator: what data preparation draws.

import { Random } from '../engine/random.ts';

const bufferWords = 4096;

export class RandomStream {
  #random: Random;
  #words = new Uint32Array(0);
  #next = 0;

  /** `seed`: an integer from 0 to 2^53 - 1. */
  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    if (this.#next === this.#words.length) {
      this.#words = this.#random.words(bufferWords);
      this.#next = 0;
    }
    return this.#words[this.#next++]! / 2 ** 32;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** An integer in 0 .. n - 1. */
  below(n: number): number {
    return Math.floor(n * this.uniform());
  }

  /** One of the items; there must be one. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** The items in random order (Fisher and Yates). */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }
}

/** Goes through items in random order again and again, so that all turn up equally often. */
export class Cycle<T> {
  #items: readonly T[];
  #draws: RandomStream;
  #left: T[] = [];

  constructor(items: readonly T[], draws: RandomStream) {
    this.#items = items;
    this.#draws = draws;
  }

  next(): T {
    if (this.#left.length === 0) this.#left = this.#draws.shuffled(this.#items);
    return this.#left.pop()!;
  }

  /**
   * Items until they weigh `count`, or all have had a turn; what would not fit waits for the next time. All
   * of one call are different when the items are.
   */
  fill(count: number, weight: (item: T) => number): T[] {
    const taken = new Set<T>();
    const waiting: T[] = [];
    let total = 0;
    for (let turns = 0; total < count && turns < 2 * this.#items.length; turns++) {
      const item = this.next();
      if (taken.has(item) || total + weight(item) > count) {
        waiting.push(item);
        continue;
      }
      taken.add(item);
      total += weight(item);
    }
    this.#left.push(...waiting.reverse());
    return [...taken];
  }
}
