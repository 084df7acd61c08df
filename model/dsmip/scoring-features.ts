// What the scoring units see of encoded texts and images: normalised, images also brought to width h. The units of one
// expert share these parameters. Formulas: the scoring units that the paper takes from MIMIC (Luo et al. 2023).

import { ShapeError } from '../../engine/errors.ts';
import type { Shape, Tensor } from '../../engine/tensor.ts';
import type { Features, TextFeatures } from '../clip/clip.ts';
import { linear, norm } from '../layers.ts';
import type { ParameterStore } from '../parameter-store.ts';

/** Texts for the units. */
export interface ScoredText {
  /** [B, d_z] */
  cls: Tensor;
  /** Prompts and tokens: [B, L, d_t]. */
  tokens: Tensor;
  /** i32 [B, L], 0 on padding. */
  mask: Tensor;
}

/** Images for the units. */
export interface ScoredImage {
  /** [B, h] */
  cls: Tensor;
  /** Prompts, CLS and patches: [B, N, h]. */
  tokens: Tensor;
}

/** embeds [B, d_z], tokens [B, L, d_t], mask [B, L] -> the same, normalised. */
export function scoredText(p: ParameterStore, text: TextFeatures): ScoredText {
  checkFeatures('text', text);
  if (`${text.mask.shape}` !== `${text.tokens.shape.slice(0, 2)}`) {
    throw new ShapeError(`text features: mask [${text.mask.shape}] for tokens [${text.tokens.shape}]`);
  }
  return {
    cls: norm(p, 'text_cls_norm', text.embeds),
    tokens: norm(p, 'text_token_norm', text.tokens),
    mask: text.mask,
  };
}

/** embeds [B, d_z], tokens [B, N, d_v] -> cls [B, h], tokens [B, N, h]. */
export function scoredImage(p: ParameterStore, h: number, image: Features): ScoredImage {
  checkFeatures('image', image);
  return {
    cls: norm(p, 'image_cls_norm', linear(p, 'image_cls', image.embeds, h)),
    tokens: norm(p, 'image_token_norm', linear(p, 'image_tokens', image.tokens, h)),
  };
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
