// A part of the soak: so many of one thing, and what was wrong.

import { RandomStream } from '../../train/random-stream.ts';
import type { Trend } from './memory.ts';

export interface PartResult {
  name: string;
  /** What was done and how often. */
  counts: Readonly<Record<string, number>>;
  done: number;
  asked: number;
  seconds: number;
  trends: readonly Trend[];
  faults: Faults;
}

/** What a part is told. */
export interface PartOptions {
  /** How many. */
  asked: number;
  seed: number;
  /** `performance.now()` at which the part ends with less; Infinity: never. */
  until: number;
}

const mostLines = 20;

/** Counts what was wrong and keeps the first lines of it. */
export class Faults {
  readonly lines: string[] = [];
  count = 0;

  add(line: string): void {
    this.count++;
    if (this.lines.length < mostLines) this.lines.push(line);
  }

  addAll(where: string, lines: readonly string[]): void {
    for (const line of lines) this.add(`${where}: ${line}`);
  }
}

/** Counts by name. */
class Tally {
  readonly counts: Record<string, number> = {};

  add(name: string, more = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + more;
  }
}

/** What a part works with; `result` ends it. */
export function beginPart(name: string, { asked, seed }: PartOptions) {
  const start = performance.now();
  const [faults, tally] = [new Faults(), new Tally()];
  return {
    draws: new RandomStream(seed),
    faults,
    tally,
    progress: progressOf(name, asked),
    result: (done: number, trends: readonly Trend[] = []): PartResult => {
      const seconds = (performance.now() - start) / 1000;
      return { name, counts: tally.counts, done, asked, seconds, trends, faults };
    },
  };
}

/** One of the things, each as often as its share of all shares. */
export function drawByShare<T extends { share: number }>(of: readonly T[], draws: RandomStream): T {
  let left = draws.uniform() * of.reduce((sum, { share }) => sum + share, 0);
  return of.find(({ share }, i) => {
    left -= share;
    return left < 0 || i === of.length - 1;
  })!;
}

/** Says on standard error how far a part is, at most every half a minute. */
function progressOf(name: string, asked: number): (done: number) => void {
  let last = performance.now();
  return (done) => {
    if (performance.now() - last < 30_000) return;
    last = performance.now();
    console.error(`${name}: ${done} of ${asked}`);
  };
}
