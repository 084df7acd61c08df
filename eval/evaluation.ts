// Evaluates a ranking task: ranks all its mentions among all entities, or among candidates only, and makes the metrics.

import { UsageError } from '../files/errors.ts';
import { namedLists } from '../link/calibration.ts';
import { type Metrics, metricsOf } from '../ranking/metrics.ts';
import { retrievalScorer } from '../ranking/mixture.ts';
import { joinLists } from '../ranking/pair-lists.ts';
import { type Candidates, ranksAmongAll, recall, retrieve } from '../ranking/retrieval.ts';
import { type PassResult, rankMentions } from '../ranking/scoring-pass.ts';
import { plainRanking } from '../ranking/tile.ts';
import { type ConfidenceReport, confidenceReport, entitiesToJudge, nameRankings } from './names.ts';
import type { RankingTask } from './ranking-task.ts';
import { withNames } from './results.ts';

/** A task and how it came out. */
export interface Evaluation {
  task: RankingTask;
  result: PassResult;
  /** By system. */
  metrics: Record<string, Metrics>;
  /** By calibrated system. */
  confidence: Record<string, ConfidenceReport>;
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

/** Proposes `count` entities a mention, and those that its word may name where names count. Throws UsageError where no system has vectors to compare. */
export async function proposeCandidates({ pass, names }: RankingTask, count: number): Promise<Retrieval> {
  const { systems, mentions, entities, gold } = pass;
  const scorer = retrievalScorer(systems);
  if (!scorer) {
    const names = systems.map(({ name }) => name).join(', ');
    throw new UsageError(`candidates: ${names}: no system that has vectors of texts to compare`);
  }
  const start = performance.now();
  const near = await retrieve(scorer, mentions, entities, count);
  const candidates = names ? joinLists(near, namedLists(names.matches)) : near;
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
  const { pass, names } = task;
  const rankings = [...pass.systems.map(plainRanking), ...(names ? nameRankings(names) : [])];
  const start = performance.now();
  const result = await rankMentions({
    ...pass,
    top: Math.min(pass.entities.count, names ? Math.max(top, entitiesToJudge) : top),
    rankings,
    countsChoices: true,
    ...(candidates ? { candidates } : {}),
    onProgress,
  });
  const seconds = (performance.now() - start) / 1000;
  const metrics: Record<string, Metrics> = {};
  for (const { name } of rankings) {
    const system = result.systems[name]!;
    if (candidates) {
      system.ranks = ranksAmongAll(system.ranks, candidates, pass.gold, pass.entities.count);
    }
    metrics[name] = metricsOf(system.ranks);
  }
  const confidence: Record<string, ConfidenceReport> = {};
  for (const { system, calibration } of names?.calibrations ?? []) {
    const name = calibration.names ? withNames(system.name) : system.name;
    const found = result.systems[name]!.top;
    const { matches, takenOut } = names!;
    const counted = calibration.names ? matches : matches.map(() => []);
    confidence[name] = confidenceReport(found, pass.gold, { matches: counted, takenOut }, calibration);
  }
  for (const system of Object.values(result.systems)) system.top = system.top.map((own) => own.slice(0, top));
  return { task, result, metrics, confidence, seconds };
}
