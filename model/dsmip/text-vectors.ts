// What the text unit's score of a pair needs of each side, and the score from it: the numbers of text-unit.ts without
// gradients, for scoring many mentions against a knowledge base. M mentions with at most L tokens; E entities with R
// tokens in all, none of them padding. mean_i softmax(q_i k^T) V = (mean_i softmax(q_i k^T)) V, so the probabilities are
// averaged first; LayerNorm takes a context's mean away, so the values are centred beforehand.

import { ShapeError } from '../../engine/errors.ts';
import { rowShape } from '../../engine/kernels/rows.ts';
import { mul, sub } from '../../engine/ops/elementwise.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { raggedMeanAttention } from '../../engine/ops/ragged-mean-attention.ts';
import { mean, sum } from '../../engine/ops/reduce.ts';
import { reshape } from '../../engine/ops/shape.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';
import type { TextFeatures } from '../clip/clip.ts';
import { linear, norm } from '../layers.ts';
import type { ParameterStore } from '../parameter-store.ts';
import { scoredText } from './scoring-features.ts';

/** Text features without padding: of text i the tokens first[i] .. first[i + 1] - 1, prompts included. */
export interface RaggedText {
  /** [R, d_t] */
  tokens: Tensor;
  /** n + 1 */
  first: Int32Array<ArrayBuffer>;
  /** [n, d_z] */
  embeds: Tensor;
}

export interface TextMentions {
  /** [M, L, h] */
  keys: Tensor;
  /** [M, L, h], each row's mean taken away. */
  values: Tensor;
  /** i32 [M, L] */
  mask: Tensor;
  /** [M, d_z] */
  global: Tensor;
}

export interface TextEntities {
  /** [R, h] */
  queries: Tensor;
  first: Int32Array<ArrayBuffer>;
  /** LayerNorm's weight times `cls` of the entity, centred: [E, h]. */
  cls: Tensor;
  /** LayerNorm's bias times `cls`: [E]. */
  bias: Tensor;
  /** [E, d_z] */
  global: Tensor;
}

const eps = 1e-5;

export function textMentions(p: ParameterStore, h: number, text: TextFeatures): TextMentions {
  const { cls, tokens, mask } = scoredText(p, text);
  const unit = p.under('text_unit');
  return {
    keys: linear(unit, 'key', tokens, h),
    values: centred(linear(unit, 'value', tokens, h)),
    mask,
    global: cls,
  };
}

export function textEntities(
  p: ParameterStore,
  h: number,
  { tokens, first, embeds }: RaggedText,
): TextEntities {
  const unit = p.under('text_unit');
  const global = norm(p, 'text_cls_norm', embeds);
  const cls = linear(unit, 'cls', global, h);
  const [weight, bias] = ['weight', 'bias'].map((name) => unit.get(`context_norm.${name}`, [h]));
  return {
    queries: linear(unit, 'query', norm(p, 'text_token_norm', tokens), h),
    first,
    cls: centred(mul(cls, weight!)),
    bias: sum(mul(cls, bias!), -1),
    global,
  };
}

/** Scores [M, E]; where `wanted` (u32 [M, E]) is 0 a finite number may stand for one. Throws ShapeError. */
export function textScores(
  mention: TextMentions,
  entity: TextEntities,
  wanted: Tensor | null = null,
): Tensor {
  const { device } = entity.queries;
  const { cls, bias } = entity;
  const [E, h] = cls.shape as [number, number];
  const M = mention.keys.shape[0]!;
  if (entity.first.length !== E + 1 || mention.keys.shape[2] !== h) {
    throw new ShapeError(
      `text scores: ${describe(cls)}, ${entity.first.length} bounds of rows, ${describe(mention.keys)}`,
    );
  }
  const { keys, mask } = mention;
  const average = raggedMeanAttention(entity.queries, entity.first, keys, mask, wanted); // [M, E, L]
  const x = matmul(average, mention.values); // [M, E, h]
  const global = matmul(mention.global, entity.global, { transposeB: true }); // [M, E]
  const y = device.empty([M, E], 'f32', 'text scores');
  const { constants, elements, length, grid } = rowShape(device, h);
  device.run({
    kernel: 'context-score',
    entry: 'score',
    constants: { ...constants, ...elements },
    buffers: { x, c: cls, b: bias, global, y },
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
