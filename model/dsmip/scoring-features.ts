// What the scoring units see of encoded texts and images: normalised, images also brought to width h. The units of one
// expert share these parameters. Formulas: the scoring units that the paper takes from MIMIC (Luo et al. 2023).

import { ShapeError } from '../../engine/errors.ts';
import type { Shape, Tensor } from '../../engine/tensor.ts';
import type { ClipConfig, Features, TextFeatures } from '../clip/clip.ts';
import type { Linear, Norm } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';

/** Texts for the units. */
export interface ScoredText {
  /** [B, d_z] */
  embeds: Tensor;
  /** Prompts and tokens: [B, L, d_t]. */
  tokens: Tensor;
  /** i32 [B, L], 0 on padding. */
  mask: Tensor;
}

/** Images for the units. */
export interface ScoredImage {
  /** [B, h] */
  embeds: Tensor;
  /** Prompts, CLS and patches: [B, N, h]. */
  tokens: Tensor;
}

/** LayerNorm of a text's embeds and of its tokens. */
export class TextNorms {
  readonly embeds: Norm;
  readonly tokens: Norm;

  constructor(p: ParameterSource, { projection, text }: ClipConfig) {
    this.embeds = p.norm('text_cls_norm', projection);
    this.tokens = p.norm('text_token_norm', text.width);
  }

  /** embeds [B, d_z], tokens [B, L, d_t], mask [B, L] -> the same, normalised. Throws ShapeError. */
  scored(text: TextFeatures): ScoredText {
    checkFeatures('text', text);
    if (`${text.mask.shape}` !== `${text.tokens.shape.slice(0, 2)}`) {
      throw new ShapeError(`text features: mask [${text.mask.shape}] for tokens [${text.tokens.shape}]`);
    }
    return { embeds: this.embeds(text.embeds), tokens: this.tokens(text.tokens), mask: text.mask };
  }
}

/** An image's embeds and tokens, each through a linear layer and LayerNorm. */
export class ImageProjections {
  #embeds: ((embeds: Tensor) => Tensor) | null = null;
  #tokens: Linear;
  #tokensNorm: Norm;

  /** h: width of the scoring units. `hasEmbeds`: whether embeds are looked at; else they stay as they are. */
  constructor(p: ParameterSource, { projection, vision }: ClipConfig, h: number, hasEmbeds = true) {
    if (hasEmbeds) {
      const [embeds, norm] = [p.linear('image_cls', projection, h), p.norm('image_cls_norm', h)];
      this.#embeds = (x) => norm(embeds(x));
    }
    this.#tokens = p.linear('image_tokens', vision.width, h);
    this.#tokensNorm = p.norm('image_token_norm', h);
  }

  /** embeds [B, d_z], tokens [B, N, d_v] -> embeds [B, h], tokens [B, N, h]. Throws ShapeError. */
  scored(image: Features): ScoredImage {
    checkFeatures('image', image);
    return {
      embeds: this.#embeds?.(image.embeds) ?? image.embeds,
      tokens: this.#tokensNorm(this.#tokens(image.tokens)),
    };
  }
}

function checkFeatures(
  of: string,
  { embeds, tokens }: { embeds: { shape: Shape }; tokens: { shape: Shape } },
) {
  if (embeds.shape.length !== 2 || tokens.shape.length !== 3 || embeds.shape[0] !== tokens.shape[0]) {
    throw new ShapeError(
      `${of} features: embeds [${embeds.shape}] and tokens [${tokens.shape}] must be [B, d_z] and [B, tokens, width]`,
    );
  }
}
