// Evaluates a ranking task: ranks all its mentions among all entities, or among candidates only, and makes the metrics.

import { UsageError } from '../files/errors.ts';
import { type Metrics, metricsOf } from '../ranking/metrics.ts';
import { retrievalScorer } from '../ranking/mixture.ts';
import { type Candidates, ranksAmongAll, recall, retrieve } from '../ranking/retrieval.ts';
import { type PassResult, rankMentions } from '../ranking/scoring-pass.ts';
import type { RankingTask } from './ranking-task.ts';

/** A task and how it came out. */
export interface Evaluation {
  task: RankingTask;
  result: PassResult;
  /** By system. */
  metrics: Record<string, Metrics>;
  seconds: number;
}

/** Candidates by the last task's systems, and how good they are. */
export interface Retrieval {
  candidates: Candidates;
  /** How many were asked for by vectors. */
  count: number;
  /** Whose vectors were compared. */
  by: string;
  /** Percent of mentions whose gold entity was proposed. */
  recall: number;
  seconds: number;
}

/** Proposes `count` entities a mention. Throws UsageError where no system has vectors to compare. */
export async function proposeCandidates({ pass }: RankingTask, count: number): Promise<Retrieval> {
  const { systems, mentions, entities, gold } = pass;
  const scorer = retrievalScorer(systems);
  if (!scorer) {
    const names = systems.map(({ name }) => name).join(', ');
    throw new UsageError(`candidates: ${names}: no system that has vectors of texts to compare`);
  }
  const start = performance.now();
  const candidates = await retrieve(scorer, mentions, entities, count);
  const seconds = (performance.now() - start) / 1000;
  return { candidates, count, by: scorer.name, recall: recall(candidates, gold), seconds };
}

export interface EvaluateOptions {
  /** Best entities to keep of each mention. */
  top: number;
  candidates: Candidates | null;
  /** Called with the part that is done, from 0 to 1. */
  onProgress: (part: number) => void;
}

/** Ranks a task's mentions. */
export async function evaluateTask(
  task: RankingTask,
  { top, candidates, onProgress }: EvaluateOptions,
): Promise<Evaluation> {
  const { pass } = task;
  const start = performance.now();
  const result = await rankMentions({
    ...pass,
    top,
    countsChoices: true,
    ...(candidates ? { candidates } : {}),
    onProgress,
  });
  const seconds = (performance.now() - start) / 1000;
  const metrics: Record<string, Metrics> = {};
  for (const { name } of pass.systems) {
    const system = result.systems[name]!;
    if (candidates) {
      system.ranks = ranksAmongAll(system.ranks, candidates, pass.gold, pass.entities.count);
    }
    metrics[name] = metricsOf(system.ranks);
  }
  return { task, result, metrics, seconds };
}
