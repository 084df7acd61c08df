// What the vision unit's score of a pair needs of each side, and the score from it: the numbers of vision-unit.ts without
// gradients and without an h x h product a pair. With LayerNorm's mean and variance written as dot products, all of `dual`
// is bilinear in vectors of one side. x~: x without its mean; query side q (after `cls`); key side k (after `cls`) and v,
// the mean of `tokens`; A = W_fc diag(gamma_1) (I - 11^T/h), c0 = W_fc beta_1 + b_fc:
//   sigma^2 = (|v~|^2 + |q~|^2 + 2 v~.q~) / h + eps            context c = (A v + A q) / sigma + c0
//   gate g = tanh(w.c + b_g)                                   r = centred(gamma_2 * LN_2(q))
//   score = (g c.r + k~.r) / sigma_y + beta_2.LN_2(q)          sigma_y^2 = (g^2 |c~|^2 + |k~|^2 + 2 g c~.k~) / h + eps
// With a = (A v)~, b = (A q)~, d = c0~ everything expands into v~.q~, a.r, a.b, k~.r, k~.b of the pair and scalars of
// one side. Where v~ nearly cancels q~, sigma^2 loses digits against vision-unit.ts; eps bounds the harm.

import { linearGrid } from '../../engine/device.ts';
import { ShapeError } from '../../engine/errors.ts';
import { mul } from '../../engine/ops/elementwise.ts';
import { linear } from '../../engine/ops/linear.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { mean, sum } from '../../engine/ops/reduce.ts';
import { concat, reshape, transpose } from '../../engine/ops/shape.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';
import type { Side } from '../../ranking/scorer.ts';
import type { ScoredImage } from './scoring-features.ts';
import { centred } from './text-vectors.ts';
import type { Dual, VisionUnit } from './vision-unit.ts';

export interface VisionVectors {
  /** Rows of q~, r, b (the side asks) and v~, a, k~ (it is asked): [n, 6 h]. */
  vectors: Tensor;
  /** As dual-unit.wgsl wants them: [n, 16]. */
  scalars: Tensor;
}

/** The same in the order of the products: of each, the vectors of all rows. */
export interface VisionOperand {
  /** [10, n, h] */
  vectors: Tensor;
  scalars: Tensor;
}

const eps = 1e-5;
/** Which of the six vectors each of the ten products takes: v~.q~, a.r, a.b, k~.r, k~.b, asked by either side. */
const [q, r, b, v, a, k] = [0, 1, 2, 3, 4, 5];
const asks = [q, r, b, r, b];
const isAsked = [v, a, a, k, k];

/**
 * The vectors of a side's images. `rounded` is applied to the vectors before scalars are made of them: for vectors that
 * will be stored with fewer bits, so that squares and products fit together.
 */
export function visionVectors(
  unit: VisionUnit,
  side: Side,
  { embeds, tokens }: ScoredImage,
  rounded: (x: Tensor) => Tensor = (x) => x,
): VisionVectors {
  const { entityToMention, mentionToEntity } = unit;
  const [asking, asked] =
    side === 'entity' ? [entityToMention, mentionToEntity] : [mentionToEntity, entityToMention];
  const query = asQuery(asking, embeds);
  const key = asKey(asked, embeds, mean(tokens, 1));
  const vectors = rounded(concat([query.q, query.r, query.b, key.v, key.a, key.k], 1));
  const [n, h] = embeds.shape as [number, number];
  const given = concat(
    [query.gate, query.bias, key.gate].map((x) => reshape(x, [n, 1])),
    1,
  );
  const { device } = embeds;
  const scalars = device.empty([n, 16], 'f32', 'vision scalars');
  const ofQuery = constants(asking);
  device.run({
    kernel: 'dual-unit',
    entry: 'side',
    buffers: {
      vectors,
      given,
      asking: ofQuery.d,
      asked: constants(asked).d,
      gate_offset: ofQuery.gate,
      scalars,
    },
    params: { mentions: n, entities: 0, h, eps },
    grid: linearGrid(Math.ceil(n / 64)),
    flops: 24 * n * h,
    bytes: 24 * n * h,
  });
  return { vectors, scalars };
}

/** A side's vectors in the order in which `visionScores` multiplies them. */
export function visionOperand(side: Side, vision: VisionVectors): VisionOperand {
  const [n, columns] = vision.vectors.shape as [number, number];
  const six = transpose(reshape(vision.vectors, [n, 6, columns / 6]), [1, 0, 2]);
  return visionOperandOf(side, six, 0, vision.scalars);
}

/** The same from parts [P, n, h], of which the six from `first` on are q~, r, b, v~, a, k~. */
export function visionOperandOf(side: Side, parts: Tensor, first: number, scalars: Tensor): VisionOperand {
  const [, n, h] = parts.shape as [number, number, number];
  const order = side === 'mention' ? [...isAsked, ...asks] : [...asks, ...isAsked];
  const ten = parts.device.empty([10, n, h], 'f32', 'vision vectors');
  order.forEach((from, to) => {
    parts.device.copy(parts, ten, n * h, (first + from) * n * h, to * n * h);
  });
  return { vectors: ten, scalars };
}

/** The vectors [n, 6 h] that an entity side's operand was made of, in the order of `VisionVectors`. */
export function entityVisionVectors({ vectors }: VisionOperand): Tensor {
  const [, n, h] = vectors.shape as [number, number, number];
  const order = [...asks, ...isAsked];
  const six = vectors.device.empty([6, n, h], 'f32', 'vision vectors');
  for (const which of [q, r, b, v, a, k]) {
    vectors.device.copy(vectors, six, n * h, order.indexOf(which!) * n * h, which! * n * h);
  }
  return reshape(transpose(six, [1, 0, 2]), [n, 6 * h]);
}

/** base [M, E] plus the scores of all pairs, [M, E]. Throws ShapeError. */
export function visionScores(mention: VisionOperand, entity: VisionOperand, base: Tensor): Tensor {
  const { device } = base;
  const [, M, h] = mention.vectors.shape as [number, number, number];
  const E = entity.vectors.shape[1]!;
  if (`${base.shape}` !== `${[M, E]}`) {
    throw new ShapeError(`vision scores: base (${describe(base)}) must be [${M},${E}]`);
  }
  const products = matmul(mention.vectors, entity.vectors, { transposeB: true }); // [10, M, E]
  const y = device.empty([M, E], 'f32', 'vision scores');
  device.run({
    kernel: 'dual-unit',
    entry: 'combine',
    buffers: { products, mention: mention.scalars, entity: entity.scalars, base, y },
    params: { mentions: M, entities: E, h, eps },
    grid: [Math.ceil(E / 64), Math.ceil(M / 8), 1],
    flops: 80 * M * E,
    bytes: 48 * M * E,
  });
  return y;
}

/** q~, r, b [n, h] of the side that asks; w.Aq and beta_2.LN_2(q) [n]. */
function asQuery(dual: Dual, embeds: Tensor) {
  const query = dual.embeds(embeds);
  const q = centred(query);
  const Aq = throughA(dual, q);
  const normalised = dual.norm(query);
  return {
    q,
    r: centred(mul(normalised, dual.norm.weight)),
    b: centred(Aq),
    gate: gateOf(dual, Aq),
    bias: sum(mul(normalised, dual.norm.bias), -1),
  };
}

/** v~, a, k~ [n, h] of the side that is asked; w.Av [n]. */
function asKey(dual: Dual, embeds: Tensor, tokenMean: Tensor) {
  const v = centred(dual.tokens(tokenMean));
  const Av = throughA(dual, v);
  return { v, a: centred(Av), k: centred(dual.embeds(embeds)), gate: gateOf(dual, Av) };
}

/** A x for centred x: [n, h]. */
function throughA({ addNorm, fc }: Dual, x: Tensor): Tensor {
  return linear(mul(x, addNorm.weight), fc.weight, null);
}

/** w.x: [n]. */
function gateOf({ gate }: Dual, x: Tensor): Tensor {
  return reshape(linear(x, gate.weight, null), [x.shape[0]!]);
}

/** d = c0~ [h], and w.c0 + b_g [1]. */
function constants({ addNorm, fc, gate }: Dual): { d: Tensor; gate: Tensor } {
  const h = addNorm.bias.size;
  const c0 = fc(reshape(addNorm.bias, [1, h])); // [1, h]
  return { d: reshape(centred(c0), [h]), gate: reshape(gate(c0), [1]) };
}
