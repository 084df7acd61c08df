// A run's metrics as JSON lines; a resumed run goes on behind the step it starts from.

import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { writeTextAtomically } from '../files/atomic-file.ts';

export class MetricsLog {
  #path: string;
  #start = performance.now();

  private constructor(path: string) {
    this.#path = path;
  }

  /** Opens the file at `path` and keeps its lines up to step `from`. A kill meanwhile leaves all lines that there were. */
  static async open(path: string, from: number): Promise<MetricsLog> {
    const lines = from > 0 && existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    const kept = lines.filter((line) => stepOf(line) <= from);
    await writeTextAtomically(path, kept.map((line) => `${line}\n`).join(''));
    return new MetricsLog(path);
  }

  /** One line more, with the seconds since the log was opened. */
  add(values: { step: number } & Record<string, unknown>): void {
    const seconds = (performance.now() - this.#start) / 1000;
    appendFileSync(this.#path, `${JSON.stringify({ ...values, seconds })}\n`);
  }

  /** Returns once all lines are on the disk: before a checkpoint says that their steps were taken. */
  sync(): void {
    const file = openSync(this.#path, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
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
