// The vision transformer as timm's VisionTransformer and ALBEF have it (Dosovitskiy et al. 2021, arXiv:2010.11929): pre-LN
// blocks with exact GELU, CLS first, learned positions, no norm before the blocks and one after them. Unlike CLIP's, its
// queries, keys and values come from one layer. Parameter names and beginnings are timm's. Knows nothing of files.
//
// B: batch, S: side of an image, N: tokens (CLS + patches), d: width.

import { ShapeError } from '../../engine/errors.ts';
import { attention } from '../../engine/ops/attention/attention.ts';
import { add } from '../../engine/ops/elementwise.ts';
import { feedForward } from '../../engine/ops/feed-forward.ts';
import { patchEmbedding } from '../../engine/ops/images/patch-embedding.ts';
import { linear } from '../../engine/ops/linear.ts';
import { broadcastTo, concat, slice } from '../../engine/ops/shape.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';
import type { Linear, Norm } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';
import { positionsFor } from './position-grid.ts';

export interface VisionTransformerConfig {
  /** d. */
  width: number;
  /** Width of the feed-forward layers. */
  hidden: number;
  /** They divide `width`. */
  heads: number;
  layers: number;
  /** Side in pixels of the images that the learned positions are for. */
  imageSize: number;
  patchSize: number;
}

const eps = 1e-6;
const start = { deviation: 0.02 };
const linearStart = { weight: start, bias: { value: 0 } };

export class VisionTransformer {
  readonly config: VisionTransformerConfig;
  #cls: Tensor;
  #positions: Tensor;
  #patchKernel: Tensor;
  #patchBias: Tensor;
  #blocks: Block[];
  #norm: Norm;

  constructor(p: ParameterSource, config: VisionTransformerConfig) {
    const { width, imageSize, patchSize, layers } = config;
    const N = 1 + Math.floor(imageSize / patchSize) ** 2;
    const usual = { bound: (3 * patchSize ** 2) ** -0.5 };
    this.config = config;
    this.#cls = p.parameter('cls_token', [1, 1, width], start);
    this.#positions = p.parameter('pos_embed', [1, N, width], start);
    this.#patchKernel = p.parameter('patch_embed.proj.weight', [width, 3, patchSize, patchSize], usual);
    this.#patchBias = p.parameter('patch_embed.proj.bias', [width], usual);
    this.#blocks = Array.from({ length: layers }, (_, i) => new Block(p.under(`blocks.${i}`), config));
    this.#norm = p.norm('norm', width, eps);
  }

  /**
   * Encodes images: pixels [B, 3, S, S], normalised -> tokens [B, N, d], CLS first. For another S than the configuration's the
   * grid of positions is interpolated. Throws ShapeError.
   */
  encode(pixels: Tensor): Tensor {
    const { width, patchSize } = this.config;
    const [B, colours, height, side] = pixels.shape;
    if (pixels.rank !== 4 || colours !== 3 || height !== side || side! < patchSize) {
      throw new ShapeError(`encodeImage: ${describe(pixels)} must be [B, 3, S, S], S at least ${patchSize}`);
    }
    let x = pixels.device.scope(() => {
      const patches = patchEmbedding(pixels, this.#patchKernel, this.#patchBias); // [B, N - 1, d]
      const positions = positionsFor(this.#positions, Math.floor(side! / patchSize)); // [1, N, d]
      return add(concat([broadcastTo(this.#cls, [B!, 1, width]), patches], 1), positions); // [B, N, d]
    });
    for (const block of this.#blocks) {
      const input = x;
      // A frozen block's activations go at once; a trained one's stay for backward.
      x = x.device.scope(() => block.run(input));
    }
    return this.#norm(x);
  }
}

/** One pre-LN block. */
class Block {
  #width: number;
  #heads: number;
  #norm1: Norm;
  #qkv: Linear;
  #out: Linear;
  #norm2: Norm;
  #fc1: Linear;
  #fc2: Linear;

  constructor(p: ParameterSource, { width, hidden, heads }: VisionTransformerConfig) {
    this.#width = width;
    this.#heads = heads;
    this.#norm1 = p.norm('norm1', width, eps);
    this.#qkv = p.linear('attn.qkv', width, 3 * width, linearStart);
    this.#out = p.linear('attn.proj', width, width, linearStart);
    this.#norm2 = p.norm('norm2', width, eps);
    this.#fc1 = p.linear('mlp.fc1', width, hidden, linearStart);
    this.#fc2 = p.linear('mlp.fc2', hidden, width, linearStart);
  }

  /** x [B, N, d] -> [B, N, d]. */
  run(x: Tensor): Tensor {
    const h = this.#norm1(x);
    const mixed = attention(this.#third(h, 0), this.#third(h, 1), this.#third(h, 2), { heads: this.#heads });
    const y = this.#out(mixed, { residual: x });
    return feedForward(this.#norm2(y), this.#fc1, this.#fc2, y, 'gelu');
  }

  /** Queries, keys or values: a third of the fused layer. Cut is the weight, which is less than what it makes of a batch. */
  #third(h: Tensor, part: 0 | 1 | 2): Tensor {
    const { weight, bias } = this.#qkv;
    const cut = (x: Tensor) => slice(x, 0, part * this.#width, this.#width);
    return linear(h, cut(weight), cut(bias));
  }
}
