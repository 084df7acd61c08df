// How far a training is: one line that redraws itself on a terminal, plain lines now and then elsewhere,
// and the metrics of every step as JSON lines where a file is given.

import { appendFileSync, writeFileSync } from 'node:fs';

/** Milliseconds between two lines where the output is no terminal. */
const plainInterval = 10_000;

export class Progress {
  #total: number;
  #metrics: string | null;
  #start = performance.now();
  #examples = 0;
  #shown = Number.NEGATIVE_INFINITY;

  /**
   * `metrics`: a file for one JSON line a step, or null. It is emptied now, so that a bad path shows early.
   */
  constructor(total: number, metrics: string | null) {
    this.#total = total;
    this.#metrics = metrics;
    if (metrics !== null) writeFileSync(metrics, '');
  }

  /** Step number `step` (from 1) has been done, on `examples` examples. `values` must hold its `loss`. */
  step(step: number, examples: number, values: Readonly<Record<string, number>>): void {
    this.#examples += examples;
    const now = performance.now();
    const seconds = (now - this.#start) / 1000;
    if (this.#metrics !== null)
      appendFileSync(this.#metrics, `${JSON.stringify({ step, ...values, seconds })}\n`);
    const isLast = step === this.#total;
    if (!process.stdout.isTTY && !isLast && now - this.#shown < plainInterval) return;
    this.#shown = now;
    const rate = this.#examples / seconds;
    const left = (seconds / step) * (this.#total - step);
    const line =
      `step ${step}/${this.#total}  loss ${(values.loss ?? Number.NaN).toFixed(4)}  ` +
      `${rate.toFixed(0)} examples/s  ETA ${duration(left)}`;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}${isLast ? '\n' : ''}`);
    else console.log(line);
  }
}

/** '1:05' for 65 seconds. */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
