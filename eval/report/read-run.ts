// Everything that a report tells of a run, read from its folder. What a run does not have is absent, what is
// damaged is one line that names the file.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { contentStamp } from '../../files/content-stamp.ts';
import { InputError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';
import { bestFile } from '../../link/trained.ts';
import { trainedBaselines } from '../../model/baselines/registry.ts';
import { readAbout, readPosition } from '../../model/checkpoint.ts';
import { allExpertKinds } from '../../model/dsmip/experts.ts';
import { readMetricsLog } from '../../train/metrics-log.ts';
import { type Results, readResults } from '../results.ts';

/** The course of one training. */
export interface Course {
  /** An expert's kind, 'gate', or a baseline's name. */
  name: string;
  steps: { step: number; loss: number }[];
  epochs: { epoch: number; step: number; hits1: number; mrr: number }[];
  /** The configuration that it was started with; null where nothing was saved yet. */
  config: object | null;
}

/** One line of predictions.jsonl; scores and choices as eval/evaluate.ts writes them. */
export interface Prediction {
  mention: number;
  word: string;
  answer: string;
  /** Of the answer, by the run's best system; `ranks` by every system. */
  rank: number;
  ranks: Readonly<Record<string, number>>;
  expert: string | null;
  top: readonly { qid: string; name: string; score: number; expert: string | null }[];
}

export interface RunFiles {
  courses: Course[];
  results: Results | null;
  predictions: Prediction[];
}

/** Reads the run in `folder`. Throws one line for a folder without results and for damaged files. */
export async function readRun(folder: string): Promise<RunFiles> {
  const courses: Course[] = [];
  for (const name of [...trainedBaselines, ...allExpertKinds, 'gate']) {
    const [log, best] = [join(folder, name, 'metrics.jsonl'), bestFile(folder, name)];
    if (!existsSync(log)) continue;
    const config = existsSync(best) ? (await readAbout(best)).config : null;
    const course = await readCourse(log);
    const last = join(folder, name, 'last.safetensors');
    if (existsSync(last)) await checkCourse(log, course, last);
    courses.push({ name, ...course, config });
  }
  const [metrics, predictions] = [join(folder, 'metrics.json'), join(folder, 'predictions.jsonl')];
  const results = existsSync(metrics) ? await readResults(metrics) : null;
  if (courses.length === 0 && !results) {
    throw new InputError(
      `${folder}: expected SYSTEM/metrics.jsonl or metrics.json, found neither; is it a run?`,
    );
  }
  if (results) await checkOrigin(folder, metrics, results);
  if (!results || !existsSync(predictions)) return { courses, results, predictions: [] };
  if ((await contentStamp(predictions)) !== results.predictions) {
    throw new InputError(`${predictions}: is not the one that was written with ${metrics}; evaluate again`);
  }
  return { courses, results, predictions: await readPredictions(predictions) };
}

/** Throws InputError for results of other checkpoints than the run has now. */
async function checkOrigin(folder: string, metrics: string, { madeFrom }: Results): Promise<void> {
  for (const [name, stamp] of Object.entries(madeFrom.checkpoints)) {
    const best = bestFile(folder, name);
    if (!existsSync(best) || (await contentStamp(best)) === stamp) continue;
    throw new InputError(`${metrics}: is of another ${best} than there is now; evaluate again`);
  }
}

async function readCourse(path: string): Promise<Pick<Course, 'steps' | 'epochs'>> {
  const course: Pick<Course, 'steps' | 'epochs'> = { steps: [], epochs: [] };
  for (const [i, fields] of (await readMetricsLog(path)).entries()) {
    const fail = failureAt(path, i);
    const { step, loss, epoch, dev } = fields as Partial<Record<string, unknown>>;
    if (typeof step !== 'number') return fail('step', 'a number');
    if (dev === undefined) {
      if (typeof loss !== 'number') return fail('loss', 'a number');
      course.steps.push({ step, loss });
      continue;
    }
    const { mrr, 'hits@1': hits1 } = (dev ?? {}) as { mrr?: unknown; 'hits@1'?: unknown };
    if (typeof epoch !== 'number') return fail('epoch', 'a number');
    if (typeof mrr !== 'number' || typeof hits1 !== 'number') return fail('dev', 'metrics');
    course.epochs.push({ epoch, step, hits1, mrr });
  }
  return course;
}

/** Throws InputError for a course that ends before the training did. */
async function checkCourse(log: string, { epochs }: Pick<Course, 'epochs'>, last: string): Promise<void> {
  const { epoch } = await readPosition(last);
  const found = epochs.at(-1)?.epoch ?? 0;
  if (found >= epoch) return;
  throw new InputError({ file: log, expected: `${epoch} epochs, as ${last} has`, found: `${found}` });
}

async function readPredictions(path: string): Promise<Prediction[]> {
  return (await readLines(path)).map(({ fields, fail }) => {
    const { mention, word, answer, rank, ranks, expert, top } = fields as Partial<Record<string, unknown>>;
    if (!Number.isSafeInteger(mention)) return fail('mention', 'an integer');
    if (typeof word !== 'string') return fail('word', 'a string');
    if (typeof answer !== 'string') return fail('answer', 'a qid');
    if (typeof rank !== 'number') return fail('rank', 'a number');
    const isRanks =
      typeof ranks === 'object' && ranks !== null && Object.values(ranks).every(Number.isFinite);
    if (!isRanks) return fail('ranks', 'a number for each system');
    if (!Array.isArray(top) || !top.every(isCandidate)) {
      return fail('top', 'a list of qid, name and score');
    }
    return {
      mention: mention as number,
      word,
      answer,
      rank,
      ranks: ranks as Record<string, number>,
      expert: typeof expert === 'string' ? expert : null,
      top: top.map((entity) => ({ ...entity, expert: entity.expert ?? null })),
    };
  });
}

function isCandidate(value: unknown): boolean {
  const { qid, name, score, expert } = (value ?? {}) as Partial<Record<string, unknown>>;
  return (
    typeof qid === 'string' &&
    typeof name === 'string' &&
    typeof score === 'number' &&
    (expert === undefined || expert === null || typeof expert === 'string')
  );
}

/** The JSON objects of a file of one a line; a last line that a kill cut off is left out. */
async function readLines(path: string) {
  const text = await readText(path);
  const lines = text.split('\n').slice(0, -1);
  return lines.flatMap((line, i) => {
    if (line === '') return [];
    const fail = failureAt(path, i);
    return [{ fields: parsed(line) ?? fail('content', 'a JSON object'), fail }];
  });
}

/** Throws what is wrong with a field of line `i` of a file. */
function failureAt(path: string, i: number): (field: string, what: string) => never {
  return (field, what) => {
    throw new InputError(`${path}: line ${i + 1}: ${field}: expected ${what}`);
  };
}

function parsed(line: string): object | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
