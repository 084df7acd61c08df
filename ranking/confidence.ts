// How good probabilities are: whether they order what is so before what is not, and whether they say how often it is so.

import { EngineError } from '../engine/errors.ts';

/**
 * The area under the receiver operating characteristic: the probability that something that is so has a larger score than
 * something that is not, equal ones counting half (Mann and Whitney). Throws EngineError where either is missing.
 */
export function areaUnderRoc(positives: readonly number[], negatives: readonly number[]): number {
  if (positives.length === 0 || negatives.length === 0) {
    throw new EngineError('areaUnderRoc: expected scores of both kinds');
  }
  const all = [
    ...positives.map((score) => ({ score, isPositive: true })),
    ...negatives.map((score) => ({ score, isPositive: false })),
  ].sort((a, b) => a.score - b.score);
  let below = 0;
  let area = 0;
  for (let first = 0; first < all.length; ) {
    let end = first;
    let [so, not] = [0, 0];
    for (; end < all.length && all[end]!.score === all[first]!.score; end++) {
      if (all[end]!.isPositive) so++;
      else not++;
    }
    area += so * (below + not / 2);
    below += not;
    first = end;
  }
  return area / (positives.length * negatives.length);
}

/**
 * Expected calibration error of probabilities, from 0 to 1: over bins of equal width the mean distance between how probable
 * things were said to be and how often they were so, weighted by how many there are (Naeini et al. 2015). 0 for none.
 */
export function calibrationError(
  probabilities: readonly number[],
  isSo: readonly boolean[],
  bins = 15,
): number {
  const sums = Array.from({ length: bins }, () => ({ said: 0, so: 0 }));
  probabilities.forEach((p, i) => {
    const bin = sums[Math.min(bins - 1, Math.floor(p * bins))]!;
    bin.said += p;
    bin.so += isSo[i] ? 1 : 0;
  });
  const error = sums.reduce((sum, { said, so }) => sum + Math.abs(said - so), 0);
  return probabilities.length === 0 ? 0 : error / probabilities.length;
}

/** What answering only above a threshold gives. */
export interface ThresholdPoint {
  threshold: number;
  /** Part of the answers that are right; null where there is none. */
  precision: number | null;
  /** Part of the mentions with an answer in the knowledge base that are answered rightly. */
  recall: number;
}

/**
 * Precision and recall of answers by the least probability at which one is given, at `steps` + 1 thresholds from 0 to 1.
 * `linkable`: mentions whose entity is in the knowledge base; others have no right answer.
 */
export function thresholdCurve(
  answers: readonly { probability: number; isRight: boolean }[],
  linkable: number,
  steps = 20,
): ThresholdPoint[] {
  return Array.from({ length: steps + 1 }, (_, i) => {
    const threshold = i / steps;
    const given = answers.filter(({ probability }) => probability >= threshold);
    const right = given.filter(({ isRight }) => isRight).length;
    return {
      threshold,
      precision: given.length === 0 ? null : right / given.length,
      recall: linkable === 0 ? 0 : right / linkable,
    };
  });
}
