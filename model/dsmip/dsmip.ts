// DSMIP: for each pair of a mention and an entity the gate picks one expert, whose score counts (equations 15, 16 and
// 18). M mentions, E entities, B experts.

import { EngineError, ShapeError } from '../../engine/errors.ts';
import { add, mul } from '../../engine/ops/elementwise.ts';
import { straightThrough } from '../../engine/ops/gumbel.ts';
import { sum } from '../../engine/ops/reduce.ts';
import { concat, reshape, slice } from '../../engine/ops/shape.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';
import type { ParameterSource } from '../parameter-source.ts';

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

/** A trained scale and offset for each expert's scores, so that the scores that the gate chooses among compare. */
export class Calibration {
  /** [B] */
  readonly scale: Tensor;
  /** [B] */
  readonly offset: Tensor;

  constructor(source: ParameterSource, B: number) {
    const p = source.under('calibration');
    this.scale = p.parameter('scale', [B], { value: 1 });
    this.offset = p.parameter('offset', [B], { value: 0 });
  }

  /** B scores [M, E] -> the same, calibrated. */
  calibrated(scores: readonly Tensor[]): Tensor[] {
    return scores.map((s, i) => add(mul(s, slice(this.scale, 0, i, 1)), slice(this.offset, 0, i, 1)));
  }
}
