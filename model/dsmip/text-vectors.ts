// What the text unit's score of a pair needs of each side, and the score from it: the numbers of text-unit.ts without
// gradients, for scoring many mentions against a knowledge base. M mentions with at most L tokens; E entities with R
// tokens in all, none of them padding. mean_i softmax(q_i k^T) V = (mean_i softmax(q_i k^T)) V, so the probabilities are
// averaged first; LayerNorm takes a context's mean away, so the values are centred beforehand.

import type { RaggedFeatures, TextFeatures } from '../../encoding/features.ts';
import { ShapeError } from '../../engine/errors.ts';
import { rowShape } from '../../engine/kernels/rows.ts';
import { raggedMeanAttention } from '../../engine/ops/attention/ragged-mean-attention.ts';
import { mul, sub } from '../../engine/ops/elementwise.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { mean, sum } from '../../engine/ops/reduce.ts';
import { reshape } from '../../engine/ops/shape.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';
import type { TextNorms } from './scoring-features.ts';
import type { TextUnit } from './text-unit.ts';

export interface TextMentions {
  /** [M, L, h] */
  keys: Tensor;
  /** [M, L, h], each row's mean taken away. */
  values: Tensor;
  /** i32 [M, L] */
  mask: Tensor;
  /** [M, d_z], normalised. */
  embeds: Tensor;
}

export interface TextEntities {
  /** [R, h] */
  queries: Tensor;
  offsets: Int32Array<ArrayBuffer>;
  /** What a context's score is, context . weights + bias: LayerNorm's weight times the entity's, centred, [E, h]. */
  weights: Tensor;
  /** LayerNorm's bias times the entity's: [E]. */
  bias: Tensor;
  /** [E, d_z], normalised. */
  embeds: Tensor;
}

const eps = 1e-5;

export function textMentions(norms: TextNorms, unit: TextUnit, text: TextFeatures): TextMentions {
  const { embeds, tokens, mask } = norms.scored(text);
  return { keys: unit.key(tokens), values: centred(unit.value(tokens)), mask, embeds };
}

export function textEntities(norms: TextNorms, unit: TextUnit, text: RaggedFeatures): TextEntities {
  const embeds = norms.embeds(text.embeds);
  const c = unit.embeds(embeds); // [E, h]
  const { weight, bias } = unit.contextNorm;
  return {
    queries: unit.query(norms.tokens(text.tokens)),
    offsets: text.offsets,
    weights: centred(mul(c, weight)),
    bias: sum(mul(c, bias), -1),
    embeds,
  };
}

/**
 * What each entity's tokens attend to in each mention's, averaged over them: [M, E, L], prompts first, 0 on padding and where
 * `pairMask` is 0 (or weights all the same). Throws ShapeError.
 */
export function textAttention(
  { keys, mask }: TextMentions,
  { queries, offsets }: TextEntities,
  pairMask: Tensor | null = null,
): Tensor {
  return raggedMeanAttention(queries, offsets, keys, mask, pairMask);
}

/** Scores [M, E]; where `pairMask` (u32 [M, E]) is 0 a finite number may stand for one. Throws ShapeError. */
export function textScores(
  mention: TextMentions,
  entity: TextEntities,
  pairMask: Tensor | null = null,
): Tensor {
  const { device } = entity.queries;
  const { weights, bias, offsets } = entity;
  const [E, h] = weights.shape as [number, number];
  const M = mention.keys.shape[0]!;
  if (offsets.length !== E + 1 || mention.keys.shape[2] !== h) {
    throw new ShapeError(
      `text scores: ${describe(weights)}, ${offsets.length} offsets of rows, ${describe(mention.keys)}`,
    );
  }
  const average = textAttention(mention, entity, pairMask); // [M, E, L]
  const x = matmul(average, mention.values); // [M, E, h]
  const global = matmul(mention.embeds, entity.embeds, { transposeB: true }); // [M, E]
  const y = device.empty([M, E], 'f32', 'text scores');
  const { constants, elements, length, grid } = rowShape(device, h);
  device.run({
    kernel: 'context-score',
    entry: 'score',
    constants: { ...constants, ...elements },
    buffers: { x, c: weights, b: bias, global, y },
    params: { pairs: M * E, entities: E, h: length, scalars: h, eps },
    grid: grid(M * E),
    flops: 4 * M * E * h,
    bytes: 4 * M * E * (h + 2),
  });
  return y;
}

/** x without the mean of each row: [..., n]. */
export function centred(x: Tensor): Tensor {
  return sub(x, reshape(mean(x, -1), [...x.shape.slice(0, -1), 1]));
}
