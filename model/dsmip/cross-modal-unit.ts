// U_C, the cross-modal scoring unit of equation 13: each side's text attends over its own image tokens, gated; the two
// sides meet in a dot product. M mentions, E entities, N image tokens (prompts, CLS, patches).

import { add, mul, tanh } from '../../engine/ops/elementwise.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { reshape } from '../../engine/ops/shape.ts';
import { softmax } from '../../engine/ops/softmax.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { linear, norm } from '../layers.ts';
import type { ParameterStore } from '../parameter-store.ts';
import type { ScoredImage, ScoredText } from './scoring-features.ts';

/** A sample's two modalities. */
export interface ScoredPair {
  text: ScoredText;
  image: ScoredImage;
}

/** Scores [M, E]. */
export function crossModalUnit(
  p: ParameterStore,
  h: number,
  mention: ScoredPair,
  entity: ScoredPair,
): Tensor {
  const unit = p.under('cross_modal_unit');
  const [m, e] = [mention, entity].map(({ text, image }) => context(unit, h, text.cls, image.tokens));
  return matmul(m!, e!, { transposeB: true });
}

/** What the score needs of samples, their dot product being the score: cls [B, d_z] of the texts -> [B, h]. */
export function crossModalVectors(
  p: ParameterStore,
  h: number,
  { cls, image }: { cls: Tensor; image: ScoredImage },
): Tensor {
  return context(p.under('cross_modal_unit'), h, cls, image.tokens);
}

/** A sample's text and what of its image the text attends to: [B, h]. */
function context(p: ParameterStore, h: number, cls: Tensor, tokens: Tensor): Tensor {
  const B = cls.shape[0]!;
  const text = linear(p, 'text', cls, h); // [B, h]
  const image = linear(p, 'image', tokens, h); // [B, N, h]
  const weights = softmax(matmul(reshape(text, [B, 1, h]), image, { transposeB: true })); // [B, 1, N]
  const seen = reshape(matmul(weights, image), [B, h]);
  const gate = tanh(linear(p, 'gate', text, 1)); // [B, 1]
  return norm(p, 'norm', add(mul(text, gate), seen));
}
