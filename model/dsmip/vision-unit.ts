// U_V, the vision scoring unit of equations 10 and 12: a gated dual unit from entity to mention and one back. M
// mentions, E entities, N image tokens (prompts, CLS, patches). Nothing larger than [M, E, h] is made.

import { add, mul, scale, tanh } from '../../engine/ops/elementwise.ts';
import { mean, sum } from '../../engine/ops/reduce.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { linear, norm } from '../layers.ts';
import type { ParameterStore } from '../parameter-store.ts';
import type { ScoredImage } from './scoring-features.ts';

/** Scores [M, E]. */
export function visionUnit(p: ParameterStore, h: number, mention: ScoredImage, entity: ScoredImage): Tensor {
  const [m, e] = [along(0, mention), along(1, entity)];
  const unit = p.under('vision_unit');
  const entityToMention = dual(unit.under('entity_to_mention'), h, e.cls, m.cls, m.mean);
  const mentionToEntity = dual(unit.under('mention_to_entity'), h, m.cls, e.cls, e.mean);
  return scale(add(entityToMention, mentionToEntity), 1 / 2);
}

/** The side's vectors along the rows (axis 0) or the columns (axis 1) of the scores: [M, 1, h] or [1, E, h]. */
function along(axis: 0 | 1, { cls, tokens }: ScoredImage): { cls: Tensor; mean: Tensor } {
  const [B, h] = cls.shape as [number, number];
  const shape = axis === 0 ? [B, 1, h] : [1, B, h];
  return { cls: reshape(cls, shape), mean: reshape(mean(tokens, 1), shape) };
}

/**
 * How well one side's query meets the other side's key and tokens, for every pair. Query along one axis of the scores,
 * key and tokens' mean along the other -> [M, E].
 */
function dual(p: ParameterStore, h: number, queryCls: Tensor, keyCls: Tensor, tokenMean: Tensor): Tensor {
  const query = linear(p, 'cls', queryCls, h);
  const key = linear(p, 'cls', keyCls, h);
  const value = linear(p, 'tokens', tokenMean, h); // of the mean: it is the mean of the linear images
  const context = linear(p, 'fc', norm(p, 'add_norm', add(value, query)), h); // [M, E, h]
  const gate = tanh(linear(p, 'gate', context, 1)); // [M, E, 1]
  const out = norm(p, 'norm', add(mul(context, gate), key)); // [M, E, h]
  return sum(mul(out, norm(p, 'norm', query)), -1); // [M, E]
}
