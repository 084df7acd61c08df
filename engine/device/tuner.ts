// Picks among variants of a kernel by measuring them, once per shape class and adapter, and remembers
// the winner on disk. Measuring waits for the GPU, so a class met for the first time runs its default
// and is measured when the host next waits for a result anyway. Variants of one kernel do the same
// arithmetic in the same order: tuning never changes a bit of any result.

import type { Device } from '../device.ts';
import { recall, remember, setting } from './platform.ts';

interface Pending {
  candidates: readonly string[];
  measure: (candidate: string) => void;
}

const repetitions = 3;
/** A measurement repeats short runs until it takes so long: the wait for the GPU takes part of a millisecond itself. */
const leastMs = 4;
const mostRuns = 256;
/** A candidate must take less than this of the best one's time: by less, noise would pick. */
const clearlyFaster = 0.9;

export class Tuner {
  #device: Device;
  #enabled: boolean;
  #winners = new Map<string, string>();
  #pending = new Map<string, Pending>();
  #settling = false;

  constructor(device: Device, isEnabled = true) {
    this.#device = device;
    this.#enabled = isEnabled && setting('DSMIP_TUNE') !== 'off';
  }

  /** Loads what was measured on this adapter and driver before. */
  async load(): Promise<void> {
    if (!this.#enabled) return;
    const known = await recall(this.#key());
    if (typeof known !== 'object' || known === null) return;
    for (const [shapeClass, winner] of Object.entries(known)) this.#winners.set(shapeClass, String(winner));
  }

  /**
   * The variant to use for a shape class: the fastest of `candidates` where they were measured (the first where none is
   * clearly faster), else the first. `measure` must record one run of a candidate on tensors of its own making.
   */
  choose(shapeClass: string, candidates: readonly string[], measure: (candidate: string) => void): string {
    const first = candidates[0]!;
    if (!this.#enabled || candidates.length === 1 || this.#settling) return first;
    const winner = this.#winners.get(shapeClass);
    if (winner !== undefined && candidates.includes(winner)) return winner;
    if (!this.#pending.has(shapeClass)) this.#pending.set(shapeClass, { candidates, measure });
    return first;
  }

  /** Measures what `choose` met for the first time. Called where the host waits for the GPU anyway. */
  async settle(): Promise<void> {
    if (this.#settling || this.#pending.size === 0) return;
    this.#settling = true;
    try {
      for (const [shapeClass, { candidates, measure }] of this.#pending) {
        this.#winners.set(shapeClass, await this.#fastest(candidates, measure));
      }
      this.#pending.clear();
      await remember(this.#key(), Object.fromEntries(this.#winners));
    } finally {
      this.#settling = false;
    }
  }

  async #fastest(candidates: readonly string[], measure: (candidate: string) => void): Promise<string> {
    let best = { candidate: candidates[0]!, ms: Number.POSITIVE_INFINITY };
    for (const candidate of candidates) {
      await this.#time(candidate, 1, measure); // compiles
      let runs = 1;
      let ms = await this.#time(candidate, runs, measure);
      while (runs * ms < leastMs && runs < mostRuns) {
        runs *= 4;
        ms = await this.#time(candidate, runs, measure);
      }
      for (let i = 1; i < repetitions; i++) {
        ms = Math.min(ms, await this.#time(candidate, runs, measure));
        if (ms > 2 * best.ms) break; // twice: other work on the machine may have slowed one measurement
      }
      if (ms < clearlyFaster * best.ms) best = { candidate, ms };
    }
    return best.candidate;
  }

  /** Milliseconds of one of so many runs. */
  async #time(candidate: string, runs: number, measure: (candidate: string) => void): Promise<number> {
    await this.#device.finish();
    const start = performance.now();
    for (let i = 0; i < runs; i++) this.#device.scope(() => measure(candidate));
    await this.#device.finish();
    return (performance.now() - start) / runs;
  }

  #key(): string {
    return `tuning ${this.#device.description}`;
  }
}
