// The term that keeps a gate from sending every pair to one expert, which it learns where one expert is better nearly
// everywhere. An addition of ours, off in the paper's presets.

import { add, affine, div, log, mul, scale } from '../../engine/ops/elementwise.ts';
import { straightThrough } from '../../engine/ops/gumbel.ts';
import { sum } from '../../engine/ops/reduce.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';

/**
 * What is to be even: the probabilities that training draws by, or the choices that ranking makes, each pair's likeliest
 * expert. Probabilities that are even on the whole may be a little above one half for the same expert everywhere.
 */
export const balanceMeasures = ['probabilities', 'choices'] as const;
export type BalanceMeasure = (typeof balanceMeasures)[number];

/** What choices are mixed with an even share by, so that an expert that is never chosen pulls with a finite force. */
const smoothing = 0.02;

/**
 * sum_b q_b log(B q_b): 0 where all experts have the same share q_b = 1 / B of the pairs, log B where one has all. By
 * probabilities q is the mean over all pairs of (pi + eps) / sum_b (pi_b + eps); by choices the share of pairs whose largest
 * pi is b's, smoothed, with the gradient of the former. pi [M, E, B] -> `[]`.
 */
export function balanceTerm(pi: Tensor, eps: number, of: BalanceMeasure = 'probabilities'): Tensor {
  const B = pi.shape.at(-1)!;
  const pairs = pi.size / B;
  const flat = reshape(pi, [pairs, B]);
  const each = of === 'choices' ? choices(flat, eps) : probabilities(flat, eps);
  const q = scale(sum(each, 0), 1 / pairs); // [B]
  return sum(mul(q, log(scale(q, B))));
}

/** A loss with the term added at a weight; the loss itself at weight 0. */
export function balanced(
  loss: Tensor,
  pi: Tensor,
  weight: number,
  eps: number,
  of: BalanceMeasure = 'probabilities',
): Tensor {
  return weight === 0 ? loss : add(loss, scale(balanceTerm(pi, eps, of), weight));
}

function probabilities(pi: Tensor, eps: number): Tensor {
  const raised = affine(pi, 1, eps);
  return div(raised, reshape(sum(raised, -1), [pi.shape[0]!, 1]));
}

function choices(pi: Tensor, eps: number): Tensor {
  return affine(straightThrough(pi, null, 1, eps), 1 - smoothing, smoothing / pi.shape[1]!);
}
