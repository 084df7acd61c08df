// A part of the soak: so many of one thing, and what was wrong.

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
export class Tally {
  readonly counts: Record<string, number> = {};

  add(name: string, more = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + more;
  }
}

/** Says on standard error how far a part is, at most every half a minute. */
export function progressOf(name: string, asked: number): (done: number) => void {
  let last = performance.now();
  return (done) => {
    if (performance.now() - last < 30_000) return;
    last = performance.now();
    console.error(`${name}: ${done} of ${asked}`);
  };
}
