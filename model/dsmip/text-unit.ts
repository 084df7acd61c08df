// U_T, the text scoring unit of equations 9 and 11: the dot product of both texts' embeds, averaged with what the
// entity's tokens find in the mention's. M mentions with L_m tokens, E entities with L_e tokens.

import { meanAttention } from '../../engine/ops/attention/mean-attention.ts';
import { add, mul, scale } from '../../engine/ops/elementwise.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { sum } from '../../engine/ops/reduce.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { ClipConfig } from '../clip/clip.ts';
import type { Linear, Norm } from '../layers.ts';
import { type ParameterSource, zeroLinear } from '../parameter-source.ts';
import type { ScoredText } from './scoring-features.ts';

/**
 * How the local term starts: as PyTorch starts linear layers, or at 0, so that an expert begins as what CLIP's text
 * embeddings alone say. An addition of ours.
 */
export const localStarts = ['random', 'zero'] as const;
export type LocalStart = (typeof localStarts)[number];

export class TextUnit {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  /** Of the entity's embeds. */
  readonly embeds: Linear;
  readonly contextNorm: Norm;

  /** h: width of the scoring units. */
  constructor(
    source: ParameterSource,
    { projection, text }: ClipConfig,
    h: number,
    localStart: LocalStart = 'random',
  ) {
    const p = source.under('text_unit');
    this.query = p.linear('query', text.width, h);
    this.key = p.linear('key', text.width, h);
    this.value = p.linear('value', text.width, h);
    this.embeds = p.linear('cls', projection, h, localStart === 'zero' ? zeroLinear : {});
    this.contextNorm = p.norm('context_norm', h);
  }

  /** Scores [M, E]. Padding takes no part: a score does not depend on what a text was batched with. */
  scores(mention: ScoredText, entity: ScoredText): Tensor {
    const q = this.query(entity.tokens); // [E, L_e, h]
    const k = this.key(mention.tokens); // [M, L_m, h]
    const v = this.value(mention.tokens); // [M, L_m, h]

    // Global to local. The mean over i of softmax(q_i k^T / sqrt(h)) v_m, with the mean taken before v_m is multiplied.
    const attended = meanAttention(q, k, entity.mask, mention.mask); // [M, E, L_m]
    const context = this.contextNorm(matmul(attended, v)); // [M, E, h]
    const local = sum(mul(context, this.embeds(entity.embeds)), -1); // [M, E]

    const global = matmul(mention.embeds, entity.embeds, { transposeB: true }); // [M, E]
    return scale(add(local, global), 1 / 2);
  }
}
