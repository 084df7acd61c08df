// Figures that a report derives from the ranks of single mentions.

import { hasNames } from '../results.ts';
import type { Prediction } from './read-run.ts';

/** Standard error of a percentage that was counted on `count` mentions, in points. */
export function standardError(percent: number, count: number): number {
  return Math.sqrt((percent * (100 - percent)) / count);
}

/** Percent of the predictions in which `system` put the answer first; null where some have no rank by it. */
export function hits1(predictions: readonly Prediction[], system: string): number | null {
  const ranks = predictions.map((prediction) => prediction.ranks[system]);
  if (ranks.length === 0 || ranks.includes(undefined)) return null;
  return (100 * ranks.filter((rank) => rank! <= 1).length) / ranks.length;
}

/** H@1 of a choice that is right whenever one of the systems is. */
export function oracleHits1(predictions: readonly Prediction[], systems: readonly string[]): number {
  const right = predictions.filter(({ ranks }) => systems.some((system) => (ranks[system] ?? 2) <= 1));
  return (100 * right.length) / predictions.length;
}

/** How many mentions only the one, and only the other, links rightly. */
export function comparePair(
  predictions: readonly Prediction[],
  one: string,
  other: string,
): { onlyOne: number; onlyOther: number } {
  const isRight = ({ ranks }: Prediction, system: string) => (ranks[system] ?? 2) <= 1;
  const only = (a: string, b: string) => predictions.filter((p) => isRight(p, a) && !isRight(p, b)).length;
  return { onlyOne: only(one, other), onlyOther: only(other, one) };
}

/** The system whose ranks the predictions are about: the one that answered. */
export function answeringSystem(predictions: readonly Prediction[]): string | null {
  const names = Object.keys(predictions[0]?.ranks ?? {});
  const answered = names.filter((name) => predictions.every(({ rank, ranks }) => ranks[name] === rank));
  return (
    answered.find((name) => hasNames(name)) ??
    answered.find((name) => name === 'dsmip') ??
    answered[0] ??
    null
  );
}
