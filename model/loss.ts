// The contrastive loss of both training stages and of pretraining.

import { ShapeError } from '../engine/errors.ts';
import { crossEntropy } from '../engine/ops/cross-entropy.ts';
import { describe, type Tensor } from '../engine/tensor.ts';

/**
 * Equation 17: the mean over rows of -log(exp S(m, e) / sum_i exp S(m, e_i)). scores [M, N], M <= N: column i holds
 * row i's own entity, columns from M on are further negatives. entities [N]: which entity each column is, by any
 * number; other columns that hold the row's own entity are no negatives. Scalar `[]`. Throws ShapeError.
 */
export function contrastiveLoss(scores: Tensor, entities: Int32Array): Tensor {
  const [M, N] = scores.shape as [number, number];
  if (scores.rank !== 2 || M > N || entities.length !== N) {
    throw new ShapeError(
      `contrastiveLoss: scores (${describe(scores)}) must be [M, N], M <= N, for ${entities.length} entities`,
    );
  }
  const { device } = scores;
  const targets = Int32Array.from({ length: M }, (_, i) => i);
  const same = new Int32Array(M * N);
  for (let i = 0; i < M; i++) {
    for (let j = 0; j < N; j++) same[i * N + j] = j !== i && entities[j] === entities[i] ? 1 : 0;
  }
  return crossEntropy(scores, device.tensor([M], targets), device.tensor([M, N], same));
}
