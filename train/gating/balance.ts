// The term that keeps a gate from sending every pair to one expert, which it learns where one expert is better nearly
// everywhere. An addition of ours, off in the paper's presets.

import { add, affine, div, log, mul, scale } from '../../engine/ops/elementwise.ts';
import { sum } from '../../engine/ops/reduce.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';

/**
 * sum_b q_b log(B q_b), q the mean over all pairs of (pi + eps) / sum_b (pi_b + eps): 0 where all experts are as likely,
 * log B where one has all pairs. pi [M, E, B] -> `[]`.
 */
export function balanceTerm(pi: Tensor, eps: number): Tensor {
  const B = pi.shape.at(-1)!;
  const pairs = pi.size / B;
  const raised = reshape(affine(pi, 1, eps), [pairs, B]);
  const probabilities = div(raised, reshape(sum(raised, -1), [pairs, 1]));
  const q = scale(sum(probabilities, 0), 1 / pairs); // [B]
  return sum(mul(q, log(scale(q, B))));
}

/** A loss with the term added at a weight; the loss itself at weight 0. */
export function balanced(loss: Tensor, pi: Tensor, weight: number, eps: number): Tensor {
  return weight === 0 ? loss : add(loss, scale(balanceTerm(pi, eps), weight));
}
