// What the baseline ALBEF compares of a side: z = [norm(text_proj T_0); norm(vision_proj V_0); norm(fusion_proj F_0)] / sqrt 3,
// so that z_m . z_e is the mean of three cosines. The contrastive halves are of use before any training; the fused CLS was
// trained to classify, so a projection of ours makes it comparable. The house definition of the baselines.
//
// B: batch, L, R: text and image tokens, d, d_v: widths of text and image, d_z: of the common space.

import { scale } from '../../../engine/ops/elementwise.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { concat } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Albef, AlbefConfig } from '../../albef/albef.ts';
import { type BertBatch, type BertDropout, firstTokens } from '../../bert/bert.ts';
import type { Linear } from '../../layers.ts';
import type { ParameterSource } from '../../parameter-source.ts';

/** Which parts of a side count: the two contrastive ones, the fused one, or all three. */
export const albefParts = ['itc', 'joint', 'all'] as const;
export type AlbefParts = (typeof albefParts)[number];

export class AlbefFusionHead {
  readonly projection: Linear;

  constructor(p: ParameterSource, { text, projection }: AlbefConfig) {
    this.projection = p.linear('fusion_proj', text.width, projection);
  }
}

/** Columns of z. */
export function vectorWidth(parts: AlbefParts, projection: number): number {
  return { itc: 2, joint: 1, all: 3 }[parts] * projection;
}

/** A side as all layers see it: T [B, L, d], V [B, R, d_v], F [B, L, d]; z [B, width] of length 1. */
export interface AlbefSide {
  text: Tensor;
  image: Tensor;
  /** null where no part of z needs it. */
  fused: Tensor | null;
  vectors: Tensor;
}

/** Encodes texts, each with the image of its row, V [B, R, d_v]. With dropout only where it is given. Throws ShapeError. */
export function encodeSide(
  albef: Albef,
  head: AlbefFusionHead,
  texts: BertBatch,
  images: Tensor,
  parts: AlbefParts,
  dropped?: BertDropout,
): AlbefSide {
  const states = albef.encodeText(texts, dropped);
  const fused = parts === 'itc' ? null : albef.fuse(states, images);
  const vector = (project: Linear, tokens: Tensor) => l2Normalize(project(firstTokens(tokens)));
  const contrastive = () => [
    vector(albef.textProjection, states.hidden),
    vector(albef.visionProjection, images),
  ];
  const all = [
    ...(parts === 'joint' ? [] : contrastive()),
    ...(fused ? [vector(head.projection, fused)] : []),
  ];
  const vectors = scale(concat(all, 1), all.length ** -0.5);
  return { text: states.hidden, image: images, fused, vectors };
}
