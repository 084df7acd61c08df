// Stages of a run, one after another or as soon as what they need is there: stops at the first that fails, remembers in the
// run's folder which are finished. Knows nothing of what they do.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { writeTextAtomically } from '../files/atomic-file.ts';
import { InputError } from '../files/errors.ts';
import { checkedJson, parseCheckedJson } from '../files/json/checked-json.ts';
import { parseBySchema } from '../files/json/schema.ts';
import { readText } from '../files/read-text.ts';

export interface Stage {
  /** What a reader calls it; its name in the record, once in a run. */
  name: string;
  /** What decides its result, as text: with other settings it is done again. */
  settings: string;
  /**
   * Files it leaves, from the run's folder; it is finished when the first is there. None: it knows itself what of its work is
   * there already, and is done every time.
   */
  writes: readonly string[];
  /** Whether it can go on where it was interrupted. */
  resumes: boolean;
  /** Names of the stages that it builds on. */
  needs: readonly string[];
}

/** How a stage is done. */
interface StageRun {
  /** From where it was interrupted, if it was. */
  resume: boolean;
  /** Aborted when another stage has failed. */
  signal: AbortSignal;
  /** Which of those that are done at once it is, from 0 on. */
  place: number;
}

export interface StageHooks<S extends Stage> {
  run(stage: S, how: StageRun): Promise<void>;
  /** Told of a stage that was finished before. */
  onFinished?: (stage: S, seconds: number) => void;
  onWarning?: (line: string) => void;
}

export interface StageOptions {
  /** Pass over what is finished already, with the same settings, and go on with what was interrupted. */
  resume: boolean;
  /** A hash of what all stages are made from: what was finished from something else is done again. */
  madeFrom: string;
  /** Stages that are done at once, at most: each as soon as those that it needs are finished and there is room, in order. */
  atOnce: number;
}

/** Raise it when the record's form changes; records of another form count for nothing. */
const recordVersion = 3;

/** The record of a run's stages: stages.json. */
const recordSchema = v.strictObject({
  version: v.literal(recordVersion),
  /** By name. */
  finished: v.record(
    v.string(),
    v.strictObject({ settings: v.string(), madeFrom: v.string(), seconds: v.number() }),
  ),
});
type StageRecord = v.InferOutput<typeof recordSchema>;

/** The record's name in a run's folder. */
export const stagesFile = 'stages.json';

/**
 * Does the stages of the run in `folder` and returns the seconds of each. Throws what the first stage to fail throws, once
 * all others have stopped.
 */
export async function runStages<S extends Stage>(
  folder: string,
  stages: readonly S[],
  { resume, madeFrom, atOnce }: StageOptions,
  { run, onFinished, onWarning }: StageHooks<S>,
): Promise<{ [name: string]: number }> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, stagesFile);
  const record = resume ? await readRecord(path, onWarning) : noRecord();
  const save = inTurn(() => writeRecord(path, record));
  const seconds: { [name: string]: number } = {};
  const stop = new AbortController();
  const places = new Places(atOnce);

  /** Returns whether it was done now, and not before. */
  async function finish(stage: S, isBuiltAnew: boolean): Promise<boolean> {
    const before = Object.hasOwn(record.finished, stage.name) ? record.finished[stage.name] : undefined;
    const isThere = stage.writes.length > 0 && existsSync(join(folder, stage.writes[0]!));
    const isSame = before?.settings === stage.settings && before.madeFrom === madeFrom;
    if (!isBuiltAnew && isSame && isThere) {
      seconds[stage.name] = before!.seconds;
      onFinished?.(stage, before!.seconds);
      return false;
    }
    const place = await places.take();
    try {
      await doStage(stage, place, isBuiltAnew && before !== undefined);
    } finally {
      places.give(place);
    }
    return true;
  }

  async function doStage(stage: S, place: number, isStale: boolean): Promise<void> {
    stop.signal.throwIfAborted();
    delete record.finished[stage.name];
    await save();
    const start = performance.now();
    // What was made from an earlier stage's old files is not to be gone on with.
    await run(stage, { resume: resume && stage.resumes && !isStale, signal: stop.signal, place });
    const taken = (performance.now() - start) / 1000;
    seconds[stage.name] = taken;
    record.finished[stage.name] = { settings: stage.settings, madeFrom, seconds: taken };
    await save();
  }

  const started = new Map<string, Promise<boolean>>();
  for (const stage of stages) {
    const needed = stage.needs.flatMap((name) => started.get(name) ?? []);
    const work = Promise.all(needed).then((anew) => finish(stage, anew.some(Boolean)));
    work.catch((error) => stop.abort(error));
    started.set(stage.name, work);
    if (atOnce === 1) await work;
  }
  await Promise.allSettled(started.values());
  stop.signal.throwIfAborted();
  return seconds;
}

/** '1:05' for 65 seconds. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Lines that say how long each stage took, and how long it took in all: some were done together. */
export function durationLines(seconds: { readonly [name: string]: number }, all: number): string[] {
  return [...Object.entries(seconds), ['in all', all] as const].map(
    ([name, value]) => `${name.padEnd(20)}${duration(value).padStart(7)}`,
  );
}

/** A function that is called once the calls before it have ended. */
function inTurn(body: () => Promise<void>): () => Promise<void> {
  let before = Promise.resolve();
  return () => {
    before = before.then(body);
    return before;
  };
}

/** Numbered places: taken by who comes first, and waited for where there is none. */
class Places {
  #free: number[];
  #waiting: ((place: number) => void)[] = [];

  constructor(count: number) {
    this.#free = Array.from({ length: count }, (_, place) => place);
  }

  async take(): Promise<number> {
    return this.#free.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(place: number): void {
    const next = this.#waiting.shift();
    if (next) next(place);
    else this.#free.push(place);
  }
}

async function writeRecord(path: string, record: StageRecord): Promise<void> {
  await writeTextAtomically(path, checkedJson(record, 2));
}

/** Nothing where the file is missing or damaged: then all is done, each stage from its own checkpoint. */
async function readRecord(path: string, onWarning?: (line: string) => void): Promise<StageRecord> {
  if (!existsSync(path)) return noRecord();
  const remedy = 'each stage looks itself what of it is finished';
  try {
    return parseBySchema(
      path,
      recordSchema,
      parseCheckedJson(path, await readText(path), recordVersion, remedy),
    );
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    onWarning?.(error.message);
    return noRecord();
  }
}

function noRecord(): StageRecord {
  return { version: recordVersion, finished: {} };
}
