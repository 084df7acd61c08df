// A run's metrics as JSON lines; a resumed run goes on behind the step it starts from.

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';

export class MetricsLog {
  #path: string;
  #start = performance.now();

  /** Opens the file at `path` and keeps its lines up to step `from`. */
  constructor(path: string, from: number) {
    this.#path = path;
    const lines = from > 0 && existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    const kept = lines.filter((line) => stepOf(line) <= from);
    writeFileSync(path, kept.map((line) => `${line}\n`).join(''));
  }

  /** One line more, with the seconds since the log was opened. */
  add(values: { step: number } & Record<string, unknown>): void {
    const seconds = (performance.now() - this.#start) / 1000;
    appendFileSync(this.#path, `${JSON.stringify({ ...values, seconds })}\n`);
  }
}

/** Infinity for a line that a kill cut off. */
function stepOf(line: string): number {
  try {
    return (JSON.parse(line) as { step: number }).step;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
