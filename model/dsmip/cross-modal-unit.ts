// U_C, the cross-modal scoring unit of equation 13: each side's text attends over its own image tokens, gated; the two
// sides meet in a dot product. M mentions, E entities, N image tokens (prompts, CLS, patches). A side whose image does not
// count is its text alone: LN(W text).

import { EngineError } from '../../engine/errors.ts';
import { add, mul, tanh } from '../../engine/ops/elementwise.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { reshape } from '../../engine/ops/shape.ts';
import { softmax } from '../../engine/ops/softmax.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { ClipConfig } from '../clip/clip.ts';
import type { Linear, Norm } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';
import type { ScoredImage, ScoredText } from './scoring-features.ts';

/** A sample's modalities: what of them the unit looks at. */
export interface ScoredPair {
  text: Pick<ScoredText, 'embeds'>;
  image: Pick<ScoredImage, 'tokens'> | undefined;
}

export class CrossModalUnit {
  #h: number;
  #text: Linear;
  #image: Linear;
  #gate: Linear;
  #norm: Norm;
  #textNorm: Norm | null;

  /** h: width of the scoring units. `isCrossed`: whether one side is its text alone. */
  constructor(source: ParameterSource, { projection }: ClipConfig, h: number, isCrossed = false) {
    const p = source.under('cross_modal_unit');
    this.#h = h;
    this.#text = p.linear('text', projection, h);
    this.#image = p.linear('image', h, h);
    this.#gate = p.linear('gate', h, 1);
    this.#norm = p.norm('norm', h);
    this.#textNorm = isCrossed ? p.norm('text_norm', h) : null;
  }

  /** Scores [M, E]. */
  scores(mention: ScoredPair, entity: ScoredPair): Tensor {
    const [m, e] = [this.context(mention), this.context(entity)];
    return matmul(m, e, { transposeB: true });
  }

  /**
   * A sample's text and what of its image the text attends to: [B, h]. The dot product of two is their score. Throws
   * EngineError for a sample without an image where none is crossed.
   */
  context({ text: { embeds }, image: own }: ScoredPair): Tensor {
    const [B, h] = [embeds.shape[0]!, this.#h];
    const text = this.#text(embeds); // [B, h]
    if (!own) {
      if (!this.#textNorm) throw new EngineError('cross-modal unit: expected an image');
      return this.#textNorm(text);
    }
    const image = this.#image(own.tokens); // [B, N, h]
    const weights = softmax(matmul(reshape(text, [B, 1, h]), image, { transposeB: true })); // [B, 1, N]
    const attended = reshape(matmul(weights, image), [B, h]);
    const gate = tanh(this.#gate(text)); // [B, 1]
    return this.#norm(add(mul(text, gate), attended));
  }
}
