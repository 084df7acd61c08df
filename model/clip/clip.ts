// CLIP's two encoders as in Hugging Face's CLIPModel (Radford et al. 2021, arXiv:2103.00020): pre-LN
// transformers with QuickGELU, causal for text. Parameter names are those of its checkpoints. Deep prompts
// (equations 3, 5, 7 and 8 of the paper) enter here; what makes them is prompts.ts. Parameters start as CLIPModel's
// _init_weights has it (initializer factor 1). Knows nothing of files.
//
// B: batch, L: text tokens, N: image tokens (CLS + patches), r: prompt length, T: tokens of either kind,
// d_t, d_v: hidden widths of the text and vision encoder, d_z: width of the common space.

import type { Features, TextFeatures } from '../../encoding/features.ts';
import type { TextBatch } from '../../encoding/samples.ts';
import type { Device } from '../../engine/device.ts';
import { ShapeError } from '../../engine/errors.ts';
import { attention } from '../../engine/ops/attention/attention.ts';
import { add } from '../../engine/ops/elementwise.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { feedForward } from '../../engine/ops/feed-forward.ts';
import { patchEmbedding } from '../../engine/ops/images/patch-embedding.ts';
import { l2Normalize } from '../../engine/ops/l2-normalize.ts';
import { broadcastTo, concat, reshape, slice } from '../../engine/ops/shape.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';
import type { Linear, Norm, Projection } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';
import { checkTexts } from '../text-batch.ts';

export type { Features, TextFeatures } from '../../encoding/features.ts';
export type { TextBatch } from '../../encoding/samples.ts';

/** A stack of transformer blocks. The comments name the fields of Hugging Face's config.json. */
export interface TransformerConfig {
  /** d_t or d_v: `hidden_size`. */
  width: number;
  /** Width of the feed-forward layers: `intermediate_size`. */
  hidden: number;
  /** `num_attention_heads`; they divide `width`. */
  heads: number;
  /** `num_hidden_layers`. */
  layers: number;
}

export interface ClipConfig {
  /** `text_config`, with `vocab_size` and `max_position_embeddings`. */
  text: TransformerConfig & { vocabulary: number; maxLength: number };
  /** `vision_config`, with `image_size` and `patch_size` in pixels. */
  vision: TransformerConfig & { imageSize: number; patchSize: number };
  /** d_z: `projection_dim`. */
  projection: number;
}

/** CLIP whole. */
export class Clip {
  /** The logarithm of the inverse temperature of CLIP's own loss: []. */
  readonly logitScale: Tensor;
  readonly text: ClipTextEncoder;
  readonly vision: ClipImageEncoder;

  constructor(p: ParameterSource, config: ClipConfig) {
    this.logitScale = p.parameter('logit_scale', [], { value: Math.log(1 / 0.07) });
    this.text = new ClipTextEncoder(p, config);
    this.vision = new ClipImageEncoder(p, config);
  }
}

export class ClipTextEncoder {
  readonly config: ClipConfig['text'];
  /** d_z, width of the embeds. */
  readonly embedWidth: number;
  /** The embedding of each token: [vocabulary, d_t]. */
  readonly tokenTable: Tensor;
  #positions: Tensor;
  #blocks: Blocks;
  #finalNorm: Norm;
  #projection: Projection;

  constructor(p: ParameterSource, { text: config, projection }: ClipConfig) {
    const { width, vocabulary, maxLength } = config;
    const text = p.under('text_model');
    const embeddings = text.under('embeddings');
    const start = { deviation: 0.02 };
    this.config = config;
    this.embedWidth = projection;
    this.tokenTable = embeddings.parameter('token_embedding.weight', [vocabulary, width], start);
    this.#positions = embeddings.parameter('position_embedding.weight', [maxLength, width], start);
    this.#blocks = new Blocks(text.under('encoder.layers'), config);
    this.#finalNorm = text.norm('final_layer_norm', width);
    this.#projection = p.projection('text_projection', width, projection, { deviation: width ** -0.5 });
  }

  /**
   * Encodes texts: tokens [B, r + L, d_t] after the final LayerNorm, embeds [B, d_z] of length 1 at each text's first EOS,
   * mask i32 [B, r + L]. `prompts` holds J tensors [r, d_t], one a layer from the first on; they carry no position and are
   * always attended to. Throws ShapeError.
   */
  encode(batch: TextBatch, prompts: readonly Tensor[] = []): TextFeatures {
    const { width } = this.config;
    const { length: L } = batch;
    checkTexts(this.config, batch);
    const { ids, mask, lastRows } = textInputs(this.tokenTable.device, batch, promptLength(prompts));
    let x = add(embedding(this.tokenTable, ids), slice(this.#positions, 0, 0, L)); // [B, L, d_t]
    x = this.#blocks.run(x, prompts, mask); // [B, r + L, d_t]
    const tokens = this.#finalNorm(x);
    const eos = embedding(reshape(tokens, [-1, width]), lastRows); // [B, d_t]
    return { tokens, embeds: l2Normalize(this.#projection(eos)), mask };
  }
}

export class ClipImageEncoder {
  readonly config: ClipConfig['vision'];
  /** N, CLS and patches of an image. */
  readonly tokens: number;
  /** d_z, width of the embeds. */
  readonly embedWidth: number;
  #patchKernel: Tensor;
  #cls: Tensor;
  #positions: Tensor;
  #preNorm: Norm;
  #blocks: Blocks;
  #postNorm: Norm;
  #projection: Projection;

  constructor(p: ParameterSource, { vision: config, projection }: ClipConfig) {
    const { width, imageSize, patchSize } = config;
    const N = 1 + Math.floor(imageSize / patchSize) ** 2;
    const vision = p.under('vision_model');
    const embeddings = vision.under('embeddings');
    const start = { deviation: 0.02 };
    this.config = config;
    this.tokens = N;
    this.embedWidth = projection;
    this.#cls = embeddings.parameter('class_embedding', [width], { deviation: width ** -0.5 });
    this.#patchKernel = embeddings.parameter(
      'patch_embedding.weight',
      [width, 3, patchSize, patchSize],
      start,
    );
    this.#positions = embeddings.parameter('position_embedding.weight', [N, width], start);
    this.#preNorm = vision.norm('pre_layrnorm', width); // spelt so in the checkpoints
    this.#blocks = new Blocks(vision.under('encoder.layers'), config);
    this.#postNorm = vision.norm('post_layernorm', width);
    this.#projection = p.projection('visual_projection', width, projection, { deviation: width ** -0.5 });
  }

  /**
   * Encodes images: pixels [B, 3, S, S], normalised. Tokens [B, r + N, d_v] are the last block's, without the
   * post-LayerNorm (Hugging Face's last_hidden_state), CLS at position r; embeds [B, d_z] of length 1 come from the
   * post-LayerNormed CLS. `prompts` holds J tensors [r, d_v]. Throws ShapeError.
   */
  encode(pixels: Tensor, prompts: readonly Tensor[] = []): Features {
    const { width, imageSize } = this.config;
    const B = pixels.shape[0] ?? 0;
    if (`${pixels.shape}` !== `${[B, 3, imageSize, imageSize]}`) {
      throw new ShapeError(`encodeImage: ${describe(pixels)} must be [B, 3, ${imageSize}, ${imageSize}]`);
    }
    const patches = patchEmbedding(pixels, this.#patchKernel); // [B, N - 1, d_v]
    const x = add(concat([broadcastTo(this.#cls, [B, 1, width]), patches], 1), this.#positions); // [B, N, d_v]
    const tokens = this.#blocks.run(this.#preNorm(x), prompts); // [B, r + N, d_v]
    const cls = reshape(slice(tokens, 1, promptLength(prompts), 1), [B, width]);
    return { tokens, embeds: l2Normalize(this.#projection(this.#postNorm(cls))) };
  }
}

/** The stack of transformer blocks of either encoder. */
class Blocks {
  #width: number;
  #blocks: Block[];

  constructor(p: ParameterSource, config: TransformerConfig) {
    this.#width = config.width;
    this.#blocks = Array.from({ length: config.layers }, (_, i) => new Block(p.under(`${i}`), config));
  }

  /**
   * The transformer with deep prompts: layer i <= J takes prompts[i - 1] in front of the tokens, and what the layer
   * before made of its own is dropped; from layer J + 1 on they are processed on. x [B, T, d], mask i32 [B, r + T] for a
   * causal stack -> [B, r + T, d] (r = 0 without prompts).
   */
  run(x: Tensor, prompts: readonly Tensor[], mask?: Tensor): Tensor {
    const [B, T] = x.shape as [number, number];
    const r = promptLength(prompts);
    if (prompts.length > this.#blocks.length) {
      throw new ShapeError(`prompts for ${prompts.length} layers, the encoder has ${this.#blocks.length}`);
    }
    let y = x;
    for (const [i, block] of this.#blocks.entries()) {
      const prompt = prompts[i];
      if (prompt) {
        const tokens = i === 0 ? y : slice(y, 1, r, T);
        y = concat([broadcastTo(prompt, [B, r, this.#width]), tokens], 1); // [B, r + T, d]
      }
      const input = y;
      // A frozen block's activations go at once; a trained one's stay for backward.
      y = x.device.scope(() => block.run(input, mask));
    }
    return y;
  }
}

/** One pre-LN block. */
class Block {
  #heads: number;
  #norm1: Norm;
  #query: Linear;
  #key: Linear;
  #value: Linear;
  #out: Linear;
  #norm2: Norm;
  #fc1: Linear;
  #fc2: Linear;

  constructor(p: ParameterSource, { width, hidden, heads, layers }: TransformerConfig) {
    // What is added to the residual stream shrinks with its depth.
    const residual = width ** -0.5 * (2 * layers) ** -0.5;
    const linear = (name: string, inputs: number, outputs: number, deviation: number) =>
      p.linear(name, inputs, outputs, { weight: { deviation }, bias: { value: 0 } });
    this.#heads = heads;
    this.#norm1 = p.norm('layer_norm1', width);
    this.#query = linear('self_attn.q_proj', width, width, residual);
    this.#key = linear('self_attn.k_proj', width, width, residual);
    this.#value = linear('self_attn.v_proj', width, width, residual);
    this.#out = linear('self_attn.out_proj', width, width, width ** -0.5);
    this.#norm2 = p.norm('layer_norm2', width);
    this.#fc1 = linear('mlp.fc1', width, hidden, (2 * width) ** -0.5);
    this.#fc2 = linear('mlp.fc2', hidden, width, residual);
  }

  /** x [B, T, d] -> [B, T, d]; causal exactly when it has a key mask (only the text encoder has one). */
  run(x: Tensor, mask?: Tensor): Tensor {
    const heads = this.#heads;
    const h = this.#norm1(x);
    const [q, k, v] = [this.#query(h), this.#key(h), this.#value(h)];
    const mixed = attention(q, k, v, mask ? { heads, causal: true, keyMask: mask } : { heads });
    const y = this.#out(mixed, { residual: x });
    return feedForward(this.#norm2(y), this.#fc1, this.#fc2, y);
  }
}

function promptLength(prompts: readonly Tensor[]): number {
  return prompts[0]?.shape[0] ?? 0;
}

/**
 * The batch on the device: ids [B, L], mask with r ones in front [B, r + L], and for each text the row of
 * its EOS among all B (r + L) tokens [B]. Made on the host, where the ids are, so that nothing is read back.
 */
function textInputs(device: Device, batch: TextBatch, r: number) {
  const { count: B, length: L } = batch;
  const mask = new Int32Array(B * (r + L)).fill(1);
  const lastRows = new Int32Array(B);
  for (let b = 0; b < B; b++) {
    const row = batch.mask.subarray(b * L, (b + 1) * L);
    mask.set(row, b * (r + L) + r);
    lastRows[b] = b * (r + L) + r + row.reduce((sum, real) => sum + real, 0) - 1;
  }
  return {
    ids: device.tensor([B, L], batch.ids, { name: 'token ids' }),
    mask: device.tensor([B, r + L], mask, { name: 'text mask' }),
    lastRows: device.tensor([B], lastRows, { name: 'EOS rows' }),
  };
}
