// A training's metrics as JSON lines, each with a checksum of itself and the line before; a training that is resumed goes on
// behind the step that it starts from.

import { appendFileSync, closeSync, fsyncSync, openSync } from 'node:fs';
import { writeTextAtomically } from '../files/atomic-file.ts';
import { fileError, InputError, MissingFileError } from '../files/errors.ts';
import { checkedLine, parseCheckedLine } from '../files/json/checked-json.ts';
import { readText } from '../files/read-text.ts';

export class MetricsLog {
  readonly #path: string;
  #before: string;
  #start = performance.now();

  private constructor(path: string, before: string) {
    this.#path = path;
    this.#before = before;
  }

  /** Opens the file at `path` and keeps its lines up to step `from`, as far as they are whole. Throws InputError. */
  static async open(path: string, from: number): Promise<MetricsLog> {
    const all = from > 0 ? await linesOf(path) : [];
    const kept: string[] = [];
    for (const { line, fields } of all) {
      if (fields === null || !((fields['step'] as number) <= from)) break;
      kept.push(line);
    }
    await writeTextAtomically(path, kept.join(''));
    return new MetricsLog(path, kept.at(-1) ?? '');
  }

  /** One line more, with the seconds since the log was opened. Throws InputError where the system refuses. */
  add(values: { step: number } & Record<string, unknown>): void {
    const seconds = (performance.now() - this.#start) / 1000;
    this.#before = checkedLine({ ...values, seconds }, this.#before);
    try {
      appendFileSync(this.#path, this.#before);
    } catch (error) {
      throw fileError(this.#path, error, 'written');
    }
  }

  /** Returns once all lines are on the disk: before a checkpoint says that their steps were taken. Throws as `add`. */
  sync(): void {
    try {
      const file = openSync(this.#path, 'r+');
      try {
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw fileError(this.#path, error, 'written');
    }
  }
}

/** The lines of a log; one at its end that a kill cut off is left out. Throws InputError for a line that is damaged. */
export async function readMetricsLog(path: string): Promise<Record<string, unknown>[]> {
  return (await linesOf(path)).map(({ fields }, i) => {
    if (fields) return fields;
    throw new InputError(`${path}: line ${i + 1}: was damaged or edited (wrong checksum)`);
  });
}

/** The whole lines, with their fields where they are what their checksums say; none where there is no file. */
async function linesOf(path: string): Promise<{ line: string; fields: Record<string, unknown> | null }[]> {
  const text = await readText(path).catch((error: unknown) => {
    if (error instanceof MissingFileError) return '';
    throw error;
  });
  const lines = text
    .split('\n')
    .slice(0, -1)
    .map((line) => `${line}\n`);
  return lines.map((line, i) => ({ line, fields: parseCheckedLine(line, lines[i - 1] ?? '') }));
}
