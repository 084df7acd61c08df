// What a student of the sentence encoder is trained by: L = w mean(1 - s.y) + sum of w_k InfoNCE_k(mention, entity) over the
// kinds k of pairs, s a text's embedding and y the teacher's, both of length 1. InfoNCE is symmetric (Radford et al. 2021,
// figure 3) with a learned logit scale; a pair that means the same is no negative.

import { add, affine, exp, mul, relu, scale } from '../../../engine/ops/elementwise.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { slice, transpose } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { UsageError } from '../../../files/errors.ts';
import { contrastiveLoss } from '../../../model/loss.ts';
import type { StudentSettings } from '../clip-schema.ts';
import type { TextStep } from './text-batches.ts';

/** The weights of the parts. */
export type LossWeights = Pick<StudentSettings, 'distillation' | 'senseContrast' | 'spokenContrast'>;

/**
 * The loss of a step, a scalar: embeds [n, d_z] of its texts, of length 1, against the teacher's `targets` [n, d_z]; null
 * where only pairs count.
 */
export function studentLoss(
  embeds: Tensor,
  targets: Tensor | null,
  step: TextStep,
  logitScale: Tensor,
  weights: LossWeights,
  maxLogitScale: number,
): Tensor {
  const parts: Tensor[] = [];
  if (targets !== null && weights.distillation > 0) {
    parts.push(scale(distance(embeds, targets), weights.distillation));
  }
  for (const [set, weight] of [
    [step.senses, weights.senseContrast],
    [step.spoken, weights.spokenContrast],
  ] as const) {
    const { first, count, meanings } = set;
    // One pair alone has nothing to be told from.
    if (weight === 0 || count < 2) continue;
    const [entities, mentions] = [slice(embeds, 0, first, count), slice(embeds, 0, first + count, count)];
    parts.push(scale(contrast(mentions, entities, meanings, logitScale, maxLogitScale), weight));
  }
  if (parts.length === 0)
    throw new UsageError('a step has no targets and no two pairs: nothing to learn from');
  return parts.reduce(add);
}

/** mean(1 - s.y), a scalar; students and targets [n, d_z], rows of length 1. */
export function distance(students: Tensor, targets: Tensor): Tensor {
  return affine(sum(mul(students, targets)), -1 / students.shape[0]!, 1);
}

/**
 * Mean of both directions' cross-entropy, a scalar; a, b [n, d_z] of length 1, row i of one belongs to row i of the other.
 * `meanings` [n] says which pairs mean the same. The similarities' factor is exp(logitScale), at most `maxScale`.
 */
export function contrast(
  a: Tensor,
  b: Tensor,
  meanings: readonly unknown[],
  logitScale: Tensor,
  maxScale: number,
): Tensor {
  return contrastOf(similarities(a, b, logitScale, maxScale), meanings);
}

/** a.b of all pairs, [n, n], times exp(logitScale), which is at most `maxScale`. */
export function similarities(a: Tensor, b: Tensor, logitScale: Tensor, maxScale: number): Tensor {
  return mul(matmul(a, b, { transposeB: true }), factorOf(logitScale, maxScale));
}

/** Mean of both directions' cross-entropy of similarities [n, n], a scalar; `meanings` as in `contrast`. */
export function contrastOf(logits: Tensor, meanings: readonly unknown[]): Tensor {
  const numbers = Int32Array.from(meanings, (meaning) => meanings.indexOf(meaning));
  const back = transpose(logits, [1, 0]);
  return scale(add(contrastiveLoss(logits, numbers), contrastiveLoss(back, numbers)), 0.5);
}

/** exp(logitScale), at most `maxScale`; no gradient above it. */
function factorOf(logitScale: Tensor, maxScale: number): Tensor {
  return exp(affine(relu(affine(logitScale, -1, Math.log(maxScale))), -1, Math.log(maxScale)));
}
