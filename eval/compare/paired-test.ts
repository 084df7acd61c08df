// Whether two systems differ by more than the choice of mentions makes: paired, since both answered the same mentions. A
// randomisation test gives p, a bootstrap the difference's interval (Smucker, Allan and Carterette, "A comparison of
// statistical significance tests for information retrieval evaluation", CIKM 2007; Berg-Kirkpatrick, Burkett and Klein, "An
// empirical investigation of statistical significance in NLP", EMNLP 2012). All pairs of systems share what is drawn.

import { RandomStream } from '../../train/random-stream.ts';

/** A pair of systems, by their numbers. */
export interface PairedTest {
  a: number;
  b: number;
  /** Mean of a's values less that of b's. */
  difference: number;
  /** Its interval: 95 of 100 resamples of the mentions give a difference within, percentiles 2.5 and 97.5. */
  low: number;
  high: number;
  /** Two-sided: how often chance alone makes a difference at least as large. */
  p: number;
  /** p by Holm's correction for all pairs together. */
  adjusted: number;
}

export interface PairedTestOptions {
  seed: number;
  /** Draws of the randomisation test: p is at least 1 / (rounds + 1). Default 10,000. */
  rounds?: number;
  /** Resamples of the mentions. Default 2,000. */
  resamples?: number;
}

/** p below which a difference is called real. */
export const significance = 0.05;

/**
 * Tests every pair of systems. `values`: by system a number for each mention, the mentions in the same order (1 for a mention
 * linked rightly, or the part of a system's seeds that did). The same seed gives the same results.
 */
export function pairedTests(
  values: readonly (readonly number[])[],
  { seed, rounds = 10_000, resamples = 2_000 }: PairedTestOptions,
): PairedTest[] {
  const pairs = values.flatMap((_, a) => values.slice(a + 1).map((_, i) => ({ a, b: a + 1 + i })));
  if (pairs.length === 0) return [];
  const count = values[0]!.length;
  const table = values.map((own) => Float64Array.from(own));
  const p = randomisation(table, pairs, rounds, new RandomStream(seed));
  const intervals = bootstrap(table, pairs, resamples, new RandomStream(seed));
  const adjusted = holm(p);
  return pairs.map((pair, i) => ({
    ...pair,
    difference: (sumOf(table[pair.a]!) - sumOf(table[pair.b]!)) / count,
    ...intervals[i]!,
    p: p[i]!,
    adjusted: adjusted[i]!,
  }));
}

/**
 * Holm's correction (Scandinavian Journal of Statistics 6, 1979): the smallest of n p-values times n, the next times n - 1, and
 * so on, none less than one before it. Rejecting those below a level keeps the chance of any false one at that level.
 */
export function holm(p: readonly number[]): number[] {
  const order = [...p.keys()].sort((i, j) => p[i]! - p[j]! || i - j);
  const adjusted = new Array<number>(p.length);
  let least = 0;
  for (const [place, i] of order.entries()) {
    least = Math.min(1, Math.max(least, (p.length - place) * p[i]!));
    adjusted[i] = least;
  }
  return adjusted;
}

/** Sums that differ by less are equal but for rounding. */
const rounding = 1e-6;

/**
 * For each pair: were the two systems the same, each mention's difference could as well have the other sign. The part of random
 * signs whose sum of differences is at least as far from 0 as the true one, which itself counts as one of them (Davison and
 * Hinkley, "Bootstrap methods and their application", 1997, 4.2). The sum of signed differences is the difference of the
 * systems' signed sums, so that all pairs together cost no more than all systems.
 */
function randomisation(
  values: readonly Float64Array[],
  pairs: readonly { a: number; b: number }[],
  rounds: number,
  draws: RandomStream,
): number[] {
  const count = values[0]!.length;
  const sums = values.map(sumOf);
  const observed = pairs.map(({ a, b }) => Math.abs(sums[a]! - sums[b]!) - rounding);
  const asFar = new Array<number>(pairs.length).fill(1);
  const signs = new Float64Array(count);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < count; ) {
      let bits = draws.below(2 ** 32);
      for (let bit = 0; bit < 32 && i < count; bit++, bits >>>= 1) signs[i++] = bits & 1 ? 1 : -1;
    }
    const signed = values.map((own) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += signs[i]! * own[i]!;
      return sum;
    });
    for (const [i, { a, b }] of pairs.entries()) {
      if (Math.abs(signed[a]! - signed[b]!) >= observed[i]!) asFar[i]!++;
    }
  }
  return asFar.map((times) => times / (rounds + 1));
}

/** The intervals of the pairs' differences over resamples of the mentions. */
function bootstrap(
  values: readonly Float64Array[],
  pairs: readonly { a: number; b: number }[],
  resamples: number,
  draws: RandomStream,
): { low: number; high: number }[] {
  const count = values[0]!.length;
  const found = pairs.map(() => new Float64Array(resamples));
  const rows = new Int32Array(count);
  for (let round = 0; round < resamples; round++) {
    for (let i = 0; i < count; i++) rows[i] = draws.below(count);
    const means = values.map((own) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += own[rows[i]!]!;
      return sum / count;
    });
    for (const [i, { a, b }] of pairs.entries()) found[i]![round] = means[a]! - means[b]!;
  }
  return found.map((differences) => {
    const sorted = differences.sort();
    const at = (part: number) => sorted[Math.round(part * (resamples - 1))]!;
    return { low: at(0.025), high: at(0.975) };
  });
}

function sumOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
