// Stages one after another: stops at the first that fails, remembers in the run's folder which are finished. Knows nothing
// of what they do.

import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../files/atomic-file.ts';

export interface Stage {
  /** What a reader calls it; its name in the record, once in a run. */
  name: string;
  /** What decides its result, as text: with other settings it is done again. */
  settings: string;
  /** Files it leaves, from the run's folder; it is finished when the first is there. */
  writes: readonly string[];
  /** Whether it can go on where it was interrupted. */
  resumes: boolean;
}

export interface StageHooks<S extends Stage> {
  /** Does a stage; `resume`: from where it was interrupted, if it was. */
  run(stage: S, resume: boolean): Promise<void>;
  /** Told of a stage that was finished before. */
  onFinished?: (stage: S, seconds: number) => void;
}

/** The record of a run's stages: stages.json. */
interface StageRecord {
  format: number;
  /** By name. */
  finished: { [name: string]: { settings: string; seconds: number } };
}

/** Raise it when the record's form changes; records of another form count for nothing. */
const recordFormat = 2;

/** The record's name in a run's folder. */
export const stagesFile = 'stages.json';

/**
 * Does the stages of the run in `folder` and returns the seconds of each. With `resume` those that are finished already,
 * with the same settings, are passed over, and one that was interrupted goes on where it was. Throws what a stage throws.
 */
export async function runStages<S extends Stage>(
  folder: string,
  stages: readonly S[],
  resume: boolean,
  { run, onFinished }: StageHooks<S>,
): Promise<{ [name: string]: number }> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, stagesFile);
  const record = resume ? await readRecord(path) : { format: recordFormat, finished: {} };
  const seconds: { [name: string]: number } = {};
  let hasRun = false;
  for (const stage of stages) {
    const before = Object.hasOwn(record.finished, stage.name) ? record.finished[stage.name] : undefined;
    const isThere = existsSync(join(folder, stage.writes[0]!));
    if (!hasRun && before?.settings === stage.settings && isThere) {
      seconds[stage.name] = before.seconds;
      onFinished?.(stage, before.seconds);
      continue;
    }
    // What was made from an earlier stage's old files is not to be gone on with.
    const isStale = hasRun && before !== undefined;
    hasRun = true;
    delete record.finished[stage.name];
    await writeRecord(path, record);
    const start = performance.now();
    await run(stage, resume && stage.resumes && !isStale);
    const taken = (performance.now() - start) / 1000;
    seconds[stage.name] = taken;
    record.finished[stage.name] = { settings: stage.settings, seconds: taken };
    await writeRecord(path, record);
  }
  return seconds;
}

/** '1:05' for 65 seconds. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Lines that say how long each stage took and all of them. */
export function durationLines(seconds: { readonly [name: string]: number }): string[] {
  const all = Object.values(seconds).reduce((sum, s) => sum + s, 0);
  return [...Object.entries(seconds), ['in all', all] as const].map(
    ([name, value]) => `${name.padEnd(20)}${duration(value).padStart(7)}`,
  );
}

async function writeRecord(path: string, record: StageRecord): Promise<void> {
  const text = `${JSON.stringify(record, null, 2)}\n`;
  await writeFileAtomically(path, (append) => append(new TextEncoder().encode(text)));
}

/** Nothing where the file is missing or damaged: then all is done, each stage from its own checkpoint. */
async function readRecord(path: string): Promise<StageRecord> {
  try {
    const { format, finished } = JSON.parse(await readFile(path, 'utf8')) as Partial<StageRecord>;
    if (format === recordFormat && typeof finished === 'object' && finished !== null) {
      return { format, finished };
    }
  } catch {
    // Said above.
  }
  return { format: recordFormat, finished: {} };
}
