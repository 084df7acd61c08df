// Normal numbers on the host, for parameters that are made there.

import type { Random } from '../../engine/random.ts';

/** `count` numbers of mean 0 (Box and Muller). */
export function normalNumbers(random: Random, count: number, deviation: number): Float32Array<ArrayBuffer> {
  const bits = random.words(2 * count);
  return new Float32Array(count).map((_, i) => {
    const [u, v] = [(bits[2 * i]! + 1) / 2 ** 32, bits[2 * i + 1]! / 2 ** 32];
    return deviation * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  });
}
