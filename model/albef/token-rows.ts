// Texts and images of a batch picked by their place in it, so that each distinct one is encoded once.

import { embedding } from '../../engine/ops/embedding.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';

/** Rows of x [B, ...] by their numbers, i32 [n] -> [n, ...]. */
export function rowsOf(x: Tensor, rows: Tensor): Tensor {
  const [B, ...others] = x.shape;
  return reshape(embedding(reshape(x, [B!, -1]), rows), [rows.size, ...others]);
}
