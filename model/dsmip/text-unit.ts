// U_T, the text scoring unit of equations 9 and 11: the dot product of both texts as a whole, averaged with what the
// entity's tokens find in the mention's. M mentions with L_m tokens, E entities with L_e tokens.

import { add, mul, scale } from '../../engine/ops/elementwise.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { meanAttention } from '../../engine/ops/mean-attention.ts';
import { sum } from '../../engine/ops/reduce.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { linear, norm } from '../layers.ts';
import type { ParameterStore } from '../parameter-store.ts';
import type { ScoredText } from './scoring-features.ts';

/** Scores [M, E]. Padding takes no part: a score does not depend on what a text was batched with. */
export function textUnit(p: ParameterStore, h: number, mention: ScoredText, entity: ScoredText): Tensor {
  const unit = p.under('text_unit');
  const q = linear(unit, 'query', entity.tokens, h); // [E, L_e, h]
  const k = linear(unit, 'key', mention.tokens, h); // [M, L_m, h]
  const v = linear(unit, 'value', mention.tokens, h); // [M, L_m, h]

  // Global to local. The mean over i of softmax(q_i k^T / sqrt(h)) v_m, with the mean taken before v_m is multiplied.
  const attended = meanAttention(q, k, entity.mask, mention.mask); // [M, E, L_m]
  const context = norm(unit, 'context_norm', matmul(attended, v)); // [M, E, h]
  const local = sum(mul(context, linear(unit, 'cls', entity.cls, h)), -1); // [M, E]

  const global = matmul(mention.cls, entity.cls, { transposeB: true }); // [M, E]
  return scale(add(local, global), 1 / 2);
}
