// DSMIP: for each pair of a mention and an entity the gate picks one expert, whose score counts (equations 15, 16 and
// 18). M mentions, E entities, B experts.

import { EngineError, ShapeError } from '../../engine/errors.ts';
import { mul } from '../../engine/ops/elementwise.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { straightThrough } from '../../engine/ops/gumbel.ts';
import { sum } from '../../engine/ops/reduce.ts';
import { concat, reshape } from '../../engine/ops/shape.ts';
import { argmax } from '../../engine/ops/top-k.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';

export interface SelectionConfig {
  /** Temperature of the softmax whose gradient the choice gets. */
  tau: number;
  /** Added to pi before its logarithm. */
  eps: number;
}

/**
 * Training (equations 15 and 16): z = onehot(argmax_i [g_i + log(pi_i + eps)]), with the gradient of
 * softmax((log(pi + eps) + g) / tau); noise: g ~ Gumbel(0, 1). The paper's equation 16 divides by tau outside the
 * exponential, where it would cancel. pi, noise, z [M, E, B].
 */
export function drawExperts(pi: Tensor, noise: Tensor, { tau, eps }: SelectionConfig): Tensor {
  return straightThrough(pi, noise, tau, eps);
}

/** Inference: z = onehot(argmax pi), the first of equals, no noise and no gradient. pi, z [M, E, B]. */
export function bestExperts(pi: Tensor): Tensor {
  const B = pi.shape.at(-1)!;
  const identity = Float32Array.from({ length: B * B }, (_, i) => (i % (B + 1) === 0 ? 1 : 0));
  const { device } = pi;
  return device.scope(() => embedding(device.tensor([B, B], identity), argmax(pi)));
}

/** Equation 18: S = z . [S_1, ..., S_B]. z [M, E, B], B scores [M, E] -> [M, E]. Throws ShapeError. */
export function selectedScores(z: Tensor, scores: readonly Tensor[]): Tensor {
  const [M, E, B] = z.shape as [number, number, number];
  if (scores.length === 0) throw new EngineError('selectedScores: no expert');
  const misfit = scores.find(({ shape }) => `${shape}` !== `${[M, E]}`);
  if (scores.length !== B || misfit) {
    const what = misfit ? describe(misfit) : `${scores.length} experts' scores`;
    throw new ShapeError(`selectedScores: ${what} for choices ${describe(z)}`);
  }
  const stacked = concat(
    scores.map((s) => reshape(s, [M, E, 1])),
    2,
  ); // [M, E, B]
  return sum(mul(z, stacked), -1);
}
