// U_V, the vision scoring unit of equations 10 and 12: a gated dual unit from entity to mention and one back. M
// mentions, E entities, N image tokens (prompts, CLS, patches). Nothing larger than [M, E, h] is made.

import { add, mul, scale, tanh } from '../../engine/ops/elementwise.ts';
import { mean, sum } from '../../engine/ops/reduce.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Linear, Norm } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';
import type { ScoredImage } from './scoring-features.ts';

export class VisionUnit {
  readonly entityToMention: Dual;
  readonly mentionToEntity: Dual;

  /** h: width of the scoring units. */
  constructor(source: ParameterSource, h: number) {
    const p = source.under('vision_unit');
    this.entityToMention = new Dual(p.under('entity_to_mention'), h);
    this.mentionToEntity = new Dual(p.under('mention_to_entity'), h);
  }

  /** Scores [M, E]. */
  scores(mention: ScoredImage, entity: ScoredImage): Tensor {
    const [m, e] = [along(0, mention), along(1, entity)];
    const entityToMention = this.entityToMention.scores(e.embeds, m.embeds, m.mean);
    const mentionToEntity = this.mentionToEntity.scores(m.embeds, e.embeds, e.mean);
    return scale(add(entityToMention, mentionToEntity), 1 / 2);
  }
}

/** How well one side's query meets the other side's key and tokens. */
export class Dual {
  readonly embeds: Linear;
  readonly tokens: Linear;
  readonly fc: Linear;
  readonly gate: Linear;
  readonly addNorm: Norm;
  readonly norm: Norm;

  constructor(p: ParameterSource, h: number) {
    this.embeds = p.linear('cls', h, h);
    this.tokens = p.linear('tokens', h, h);
    this.fc = p.linear('fc', h, h);
    this.gate = p.linear('gate', h, 1);
    this.addNorm = p.norm('add_norm', h);
    this.norm = p.norm('norm', h);
  }

  /** Query's embeds along one axis of the scores, key's embeds and tokens' mean along the other -> [M, E]. */
  scores(queryEmbeds: Tensor, keyEmbeds: Tensor, tokenMean: Tensor): Tensor {
    const query = this.embeds(queryEmbeds);
    const key = this.embeds(keyEmbeds);
    const value = this.tokens(tokenMean); // of the mean: it is the mean of the linear images
    const context = this.fc(this.addNorm(add(value, query))); // [M, E, h]
    const gate = tanh(this.gate(context)); // [M, E, 1]
    const out = this.norm(add(mul(context, gate), key)); // [M, E, h]
    return sum(mul(out, this.norm(query)), -1); // [M, E]
  }
}

/** The side's vectors along the rows (axis 0) or the columns (axis 1) of the scores: [M, 1, h] or [1, E, h]. */
function along(axis: 0 | 1, { embeds, tokens }: ScoredImage): { embeds: Tensor; mean: Tensor } {
  const [B, h] = embeds.shape as [number, number];
  const shape = axis === 0 ? [B, 1, h] : [1, B, h];
  return { embeds: reshape(embeds, shape), mean: reshape(mean(tokens, 1), shape) };
}
