// ALBEF (Li et al. 2021, arXiv:2107.07651; github: salesforce/ALBEF): a vision transformer, the lower layers of a BERT for
// text, and its upper layers for fusion, which attend to all tokens of the image. Parameter names are those of its
// checkpoints without `bert.`. Without the momentum model and its queues. Knows nothing of files.
//
// B: batch, L: text tokens, R: image tokens (CLS + patches), d, d_v: widths of text and image, d_z: of the common space.

import type { Tensor } from '../../engine/tensor.ts';
import {
  Bert,
  type BertBatch,
  type BertConfig,
  type BertDropout,
  type BertStates,
  firstTokens,
} from '../bert/bert.ts';
import type { Linear } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';
import { VisionTransformer, type VisionTransformerConfig } from './vision-transformer.ts';

export interface AlbefConfig {
  /** All layers of text and fusion. */
  text: Omit<BertConfig, 'crossAttention'>;
  /** The first layer that attends to the image. */
  fusionLayer: number;
  vision: VisionTransformerConfig;
  /** d_z. */
  projection: number;
}

export class Albef {
  readonly config: AlbefConfig;
  readonly vision: VisionTransformer;
  readonly textProjection: Linear;
  readonly visionProjection: Linear;
  /** The logarithm of the inverse temperature of the contrastive loss, -ln of the checkpoint's `temp`: []. */
  readonly logitScale: Tensor;
  #text: Bert;

  constructor(p: ParameterSource, config: AlbefConfig) {
    const { text, vision, fusionLayer, projection } = config;
    this.config = config;
    this.vision = new VisionTransformer(p.under('visual_encoder'), vision);
    this.#text = new Bert(p.under('text_encoder'), {
      ...text,
      crossAttention: { first: fusionLayer, width: vision.width },
    });
    this.textProjection = p.linear('text_proj', text.width, projection);
    this.visionProjection = p.linear('vision_proj', vision.width, projection);
    this.logitScale = p.parameter('logit_scale', [], { value: -Math.log(0.07) });
  }

  /** Encodes texts without any image: T [B, L, d]. What is dropped here is dropped in the fusion too. Throws ShapeError. */
  encodeText(batch: BertBatch, dropped?: BertDropout): BertStates {
    return this.#text.run(this.#text.embed(batch, dropped), { end: this.config.fusionLayer });
  }

  /** Encodes images: pixels [B, 3, S, S] -> V [B, R, d_v]. Throws ShapeError. */
  encodeImage(pixels: Tensor): Tensor {
    return this.vision.encode(pixels);
  }

  /** Fuses each text with the image of its row, V [B, R, d_v]: F [B, L, d]. */
  fuse(texts: BertStates, images: Tensor): Tensor {
    return this.#text.run(texts, { first: this.config.fusionLayer, context: images }).hidden;
  }
}

/** What ALBEF tells matching pairs of text and image by: logits of no and yes. */
export class AlbefMatching {
  #head: Linear;

  constructor(p: ParameterSource, { text }: AlbefConfig) {
    this.#head = p.linear('itm_head', text.width, 2);
  }

  /** fused [B, L, d], as `Albef.fuse` returns them -> [B, 2]. */
  logits(fused: Tensor): Tensor {
    return this.#head(firstTokens(fused));
  }
}
