// What the gate of a mixture sees of a mention: how sure each expert is of its answer, and whether there is a picture. M
// mentions, B experts.

import { affine, div, exp, log, mul, scale, sqrt, sub } from '../../../engine/ops/elementwise.ts';
import { mean, sum } from '../../../engine/ops/reduce.ts';
import { concat, reshape, slice } from '../../../engine/ops/shape.ts';
import { softmax } from '../../../engine/ops/softmax.ts';
import type { Tensor } from '../../../engine/tensor.ts';

/** Best scores of an expert that its confidence is made of. */
export const bestScores = 16;

/** How many of the best the first is held against. */
const runnersUp = 5;
/** Added to a deviation that something is divided by. */
const eps = 1e-6;

/** Features of a mention over so many experts. */
export function confidenceWidth(experts: number): number {
  return 4 * experts + 1;
}

/**
 * [M, 4 B + 1]. Of each expert's best scores s_1 >= s_2 >= ... [M, k]: s_1 - s_2, the same over the deviation of all k,
 * s_1 less the mean of the five that follow, the entropy of softmax(s); then hasImage [M, 1]. What fewer scores leave open is 0.
 */
export function confidenceFeatures(best: readonly Tensor[], hasImage: Tensor): Tensor {
  return concat([...best.flatMap(ofExpert), hasImage], 1);
}

function ofExpert(scores: Tensor): Tensor[] {
  const [M, k] = scores.shape as [number, number];
  const first = slice(scores, 1, 0, 1); // [M, 1]
  if (k < 2) {
    const none = scores.device.zeros([M, 1]);
    return [none, none, none, none];
  }
  const lead = sub(first, slice(scores, 1, 1, 1));
  const centred = sub(scores, reshape(mean(scores, 1), [M, 1]));
  const variance = scale(sum(mul(centred, centred), 1), 1 / (k - 1));
  const deviation = reshape(sqrt(variance), [M, 1]);
  const next = reshape(mean(slice(scores, 1, 1, Math.min(runnersUp, k - 1)), 1), [M, 1]);
  const shifted = sub(scores, first);
  const entropy = sub(log(sum(exp(shifted), 1)), sum(mul(softmax(scores), shifted), 1));
  return [lead, div(lead, affine(deviation, 1, eps)), sub(first, next), reshape(entropy, [M, 1])];
}
