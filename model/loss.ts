// The losses of training: the contrastive loss of both stages, of pretraining and of most baselines; the hinge loss and
// the contrast of two views that other baselines add or use instead. Composed of the engine's ops: their matrices are a
// batch by a batch, so that what a kernel of their own would save is lost beside the towers.

import { ShapeError } from '../engine/errors.ts';
import { crossEntropy } from '../engine/ops/cross-entropy.ts';
import { affine, mul, relu, scale, sub } from '../engine/ops/elementwise.ts';
import { matmul } from '../engine/ops/matmul.ts';
import { sum } from '../engine/ops/reduce.ts';
import { concat, reshape } from '../engine/ops/shape.ts';
import { describe, type Tensor } from '../engine/tensor.ts';

/**
 * Equation 17: the mean over rows of -log(exp S(m, e) / sum_i exp S(m, e_i)). scores [M, N], M <= N: column i holds
 * row i's own entity, columns from M on are further negatives. entities [N]: which entity each column is, by any
 * number; other columns that hold the row's own entity are no negatives. Scalar `[]`. Throws ShapeError.
 */
export function contrastiveLoss(scores: Tensor, entities: Int32Array): Tensor {
  const [M, N] = checkScores('contrastiveLoss', scores, entities);
  const { device } = scores;
  const targets = Int32Array.from({ length: M }, (_, i) => i);
  const same = new Int32Array(M * N);
  for (let i = 0; i < M; i++) {
    for (let j = 0; j < N; j++) same[i * N + j] = j !== i && entities[j] === entities[i] ? 1 : 0;
  }
  return crossEntropy(scores, device.tensor([M], targets), device.tensor([M, N], same));
}

/**
 * The mean over rows of the sum, over columns of another entity than the row's own, of max(0, margin - S_ii + S_ij).
 * scores [M, N], M <= N, cosines without a scale, and entities [N], both as for `contrastiveLoss`. A term of exactly 0
 * has no gradient, as in PyTorch. Scalar `[]`. Throws ShapeError.
 */
export function hingeLoss(scores: Tensor, entities: Int32Array, margin: number): Tensor {
  const [M, N] = checkScores('hingeLoss', scores, entities);
  const { device } = scores;
  const own = new Float32Array(M * N);
  const others = new Float32Array(M * N);
  for (let i = 0; i < M; i++) {
    own[i * N + i] = 1;
    for (let j = 0; j < N; j++) others[i * N + j] = entities[j] === entities[i] ? 0 : 1;
  }
  const diagonal = reshape(sum(mul(scores, device.tensor([M, N], own)), 1), [M, 1]);
  const excess = relu(affine(sub(scores, diagonal), 1, margin)); // [M, N]
  return scale(sum(mul(excess, device.tensor([M, N], others))), 1 / M);
}

/**
 * NT-Xent (Chen et al. 2020, arXiv:2002.05709): of unit vectors a and b [B, d], two views of the same B things, the
 * mean over all 2B of -log(exp(z . z' / temperature) / sum exp(z . z_j / temperature)) with z' the other view of z and
 * the sum over all but z itself. Scalar `[]`. Throws ShapeError.
 */
export function ntXent(a: Tensor, b: Tensor, temperature: number): Tensor {
  const [B] = a.shape as [number];
  if (a.rank !== 2 || `${a.shape}` !== `${b.shape}`) {
    throw new ShapeError(`ntXent: a (${describe(a)}) and b (${describe(b)}) must be of one shape [B, d]`);
  }
  const { device } = a;
  const z = concat([a, b], 0); // [2B, d]
  const similarities = scale(matmul(z, z, { transposeB: true }), 1 / temperature);
  const views = Int32Array.from({ length: 2 * B }, (_, i) => (i + B) % (2 * B));
  const itself = new Int32Array(4 * B * B);
  for (let i = 0; i < 2 * B; i++) itself[i * (2 * B + 1)] = 1;
  return crossEntropy(similarities, device.tensor([2 * B], views), device.tensor([2 * B, 2 * B], itself));
}

/** [M, N]. Throws ShapeError unless scores are that, M <= N, for N entities. */
function checkScores(op: string, scores: Tensor, entities: Int32Array): [number, number] {
  const [M, N] = scores.shape as [number, number];
  if (scores.rank !== 2 || M > N || entities.length !== N) {
    throw new ShapeError(
      `${op}: scores (${describe(scores)}) must be [M, N], M <= N, for ${entities.length} entities`,
    );
  }
  return [M, N];
}
