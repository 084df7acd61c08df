// A generator of random numbers that a seed and a counter determine (Philox4x32-10). kernels/random.ts draws them on the
// device, with the same bits.

import { EngineError } from './errors.ts';

/** Where a generator stands, as JSON: the 64-bit seed in decimal and the blocks of four numbers drawn. */
export interface RandomState {
  seed: string;
  counter: number;
}

/** A range of a generator's numbers: whoever holds it can draw the same ones again. */
export interface Stream {
  seed: bigint;
  /** Number of the first block; a block is four numbers. */
  block: number;
}

/** A generator of random numbers. Every draw takes the next numbers of its one sequence. */
export class Random {
  #seed: bigint;
  #counter = 0;

  /** `seed`: an integer from 0 to 2^64 - 1. Throws EngineError for others. */
  constructor(seed: number | bigint) {
    const integer = typeof seed === 'bigint' || Number.isSafeInteger(seed) ? BigInt(seed) : -1n;
    if (BigInt.asUintN(64, integer) !== integer) {
      throw new EngineError(`random seed ${seed}: expected an integer from 0 to 2^64 - 1`);
    }
    this.#seed = integer;
  }

  /** The generator whose state was taken. Throws EngineError for what is no such state. */
  static restore(state: RandomState): Random {
    const { seed, counter } = state;
    if (typeof seed !== 'string' || !/^\d{1,20}$/.test(seed)) {
      throw new EngineError(`random state: seed ${seed} must be a decimal number in a string`);
    }
    if (!Number.isSafeInteger(counter) || counter < 0) {
      throw new EngineError(`random state: counter ${counter} must be an integer of at least 0`);
    }
    const random = new Random(BigInt(seed));
    random.#counter = counter;
    return random;
  }

  /** What `restore` needs to go on from here. */
  state(): RandomState {
    return { seed: String(this.#seed), counter: this.#counter };
  }

  /** Takes the next `count` numbers, rounded up to a block. */
  next(count: number): Stream {
    const stream = { seed: this.#seed, block: this.#counter };
    this.#counter += Math.ceil(count / 4);
    return stream;
  }

  /** The next `count` 32-bit words, on the host: the ones that `randomBits` would have given. */
  words(count: number): Uint32Array<ArrayBuffer> {
    const { seed, block } = this.next(count);
    const [low, high] = words64(seed);
    const words = new Uint32Array(count);
    for (let i = 0; i < count; i += 4) {
      const [counter0, counter1] = words64(BigInt(block + i / 4));
      words.set(philox([counter0, counter1, 0, 0], [low, high]).slice(0, count - i), i);
    }
    return words;
  }
}

/** One block of Philox4x32-10: four words from a 128-bit counter and a 64-bit key, lowest words first. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiply(0xd2511f53, a);
    const [high1, low1] = multiply(0xcd9e8d57, c);
    [a, b, c, d] = [(high1 ^ b ^ k) >>> 0, low1, (high0 ^ d ^ l) >>> 0, low0];
    k = (k + 0x9e3779b9) >>> 0;
    l = (l + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/** Low and high word of a 64-bit integer. */
export function words64(value: bigint): [number, number] {
  return [Number(value & 0xffffffffn), Number(value >> 32n)];
}

/** High and low word of the 64-bit product of two words. */
function multiply(a: number, b: number): [number, number] {
  const low = (a & 0xffff) * (b & 0xffff);
  const middle = (a >>> 16) * (b & 0xffff) + (low >>> 16);
  const other = (a & 0xffff) * (b >>> 16) + (middle & 0xffff);
  const high = (a >>> 16) * (b >>> 16) + (middle >>> 16) + (other >>> 16);
  return [high, Math.imul(a, b) >>> 0];
}
