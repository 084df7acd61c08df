// Names in an evaluation: each calibrated system is ranked a second time with them, in the same pass; and how well its
// probabilities say when it is right and whether the right entity is in the knowledge base.

import type { NameMatch } from '../data/names/name-matches.ts';
import { type Calibration, confidenceOf, nameAdditions, probableEntities } from '../link/calibration.ts';
import {
  areaUnderRoc,
  calibrationError,
  type ThresholdPoint,
  thresholdCurve,
} from '../ranking/confidence.ts';
import type { AnyScorer } from '../ranking/scorer.ts';
import type { Found, SystemRanking } from '../ranking/tile.ts';
import { withNames } from './results.ts';

/** What a task needs to know of names. */
export interface TaskNames {
  /** By mention the entities that its word may name. */
  matches: readonly (readonly NameMatch[])[];
  /** The rows of mentions that are judged without their entity as well. */
  takenOut: readonly number[];
  calibrations: readonly { system: AnyScorer; calibration: Calibration }[];
}

/** How good a system's probabilities are on a split. */
export interface ConfidenceReport {
  /** Of the first entity's probability, in 15 bins, from 0 to 1. */
  calibrationError: number;
  /** Of the probability that the right entity is in the knowledge base: mentions against those without their entity. */
  auroc: number;
  /** How many mentions without their entity there were. */
  takenOut: number;
  /** Precision and recall of answers by the least such probability at which one is given. */
  curve: ThresholdPoint[];
}

/** The rankings of calibrated systems in which names count. */
export function nameRankings({ matches, calibrations }: TaskNames): SystemRanking[] {
  return calibrations.flatMap(({ system, calibration: { names } }) =>
    names ? [{ name: withNames(system.name), system, additions: nameAdditions(matches, names) }] : [],
  );
}

/** How many of the best entities of each mention `confidenceReport` asks for. */
export const entitiesToJudge = probableEntities + 1;

/**
 * Judges a calibrated system by the best entities of mentions whose gold entity is known, and by some of them as they are
 * without it: the entities that are left then, and their names.
 */
export function confidenceReport(
  top: readonly (readonly Found[])[],
  gold: ArrayLike<number>,
  { matches, takenOut }: Pick<TaskNames, 'matches' | 'takenOut'>,
  calibration: Calibration,
): ConfidenceReport {
  const judged = top.map((found, i) => {
    const first = found.slice(0, probableEntities);
    const { probabilities, inKnowledgeBase } = confidenceOf(first, matches[i]!, calibration);
    return { probability: probabilities[0] ?? 0, inKnowledgeBase, isRight: first[0]?.entity === gold[i] };
  });
  const without = takenOut.map((i) => {
    const left = top[i]!.filter(({ entity }) => entity !== gold[i]).slice(0, probableEntities);
    const names = matches[i]!.filter(({ row }) => row !== gold[i]);
    return confidenceOf(left, names, calibration).inKnowledgeBase;
  });
  const answers = [
    ...judged.map(({ inKnowledgeBase, isRight }) => ({ probability: inKnowledgeBase, isRight })),
    ...without.map((probability) => ({ probability, isRight: false })),
  ];
  return {
    calibrationError: calibrationError(
      judged.map(({ probability }) => probability),
      judged.map(({ isRight }) => isRight),
    ),
    auroc: areaUnderRoc(
      judged.map(({ inKnowledgeBase }) => inKnowledgeBase),
      without,
    ),
    takenOut: without.length,
    curve: thresholdCurve(answers, judged.length),
  };
}
