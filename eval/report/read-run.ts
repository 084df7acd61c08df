// Everything that a report tells of a run, read from its folder. What a run does not have is absent, what is
// damaged is one line that names the file.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';
import { trainedBaselines } from '../../model/baselines/registry.ts';
import { readAbout } from '../../model/checkpoint.ts';
import { allExpertKinds } from '../../model/dsmip/experts.ts';
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
    const [log, best] = [join(folder, name, 'metrics.jsonl'), join(folder, name, 'best.safetensors')];
    if (!existsSync(log)) continue;
    const config = existsSync(best) ? (await readAbout(best)).config : null;
    courses.push({ name, ...(await readCourse(log)), config });
  }
  const [metrics, predictions] = [join(folder, 'metrics.json'), join(folder, 'predictions.jsonl')];
  const results = existsSync(metrics) ? await readResults(metrics) : null;
  if (courses.length === 0 && !results) {
    throw new InputError(
      `${folder}: expected SYSTEM/metrics.jsonl or metrics.json, found neither; is it a run?`,
    );
  }
  return { courses, results, predictions: existsSync(predictions) ? await readPredictions(predictions) : [] };
}

async function readCourse(path: string): Promise<Pick<Course, 'steps' | 'epochs'>> {
  const course: Pick<Course, 'steps' | 'epochs'> = { steps: [], epochs: [] };
  for (const { fields, fail } of await readLines(path)) {
    const { step, loss, epoch, dev } = fields as {
      step?: unknown;
      loss?: unknown;
      epoch?: unknown;
      dev?: unknown;
    };
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
    const fail = (field: string, what: string): never => {
      throw new InputError(`${path}: line ${i + 1}: ${field}: expected ${what}`);
    };
    return [{ fields: parsed(line) ?? fail('content', 'a JSON object'), fail }];
  });
}

function parsed(line: string): object | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
