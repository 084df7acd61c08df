// CLIP's two encoders as in Hugging Face's CLIPModel (Radford et al. 2021, arXiv:2103.00020): pre-LN
// transformers with QuickGELU, causal for text. Parameter names are those of its checkpoints. Deep prompts
// (equations 3, 5, 7 and 8 of the paper) enter here; what makes them is prompts.ts. Knows nothing of files.
//
// B: batch, L: text tokens, N: image tokens (CLS + patches), r: prompt length, T: tokens of either kind,
// d_t, d_v: hidden widths of the text and vision encoder, d_z: width of the common space.

import type { Device } from '../../engine/device.ts';
import { ShapeError } from '../../engine/errors.ts';
import { attention } from '../../engine/ops/attention.ts';
import { add } from '../../engine/ops/elementwise.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { feedForward, type LinearWeights } from '../../engine/ops/feed-forward.ts';
import { l2Normalize } from '../../engine/ops/l2-normalize.ts';
import { layerNorm } from '../../engine/ops/layer-norm.ts';
import { linear } from '../../engine/ops/linear.ts';
import { patchEmbedding } from '../../engine/ops/patch-embedding.ts';
import { broadcastTo, concat, reshape, slice } from '../../engine/ops/shape.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';
import type { ParameterStore } from '../parameter-store.ts';

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

/** Tokenized texts, on the host; all rows padded to the same length. */
export interface TextBatch {
  /** Token ids, row after row: count x length. */
  ids: Int32Array<ArrayBuffer>;
  /** 1 from BOS to the first EOS, 0 on padding: count x length. */
  mask: Int32Array<ArrayBuffer>;
  count: number;
  length: number;
}

/** What an encoder makes of a batch. */
export interface Features {
  /** One vector a token, prompts first: text [B, r + L, d_t], image [B, r + N, d_v]. */
  tokens: Tensor;
  /** The whole text or image in the common space, of length 1: [B, d_z]. */
  embeds: Tensor;
}

/** Text features, and which tokens are real (prompts are): i32 [B, r + L]. */
export interface TextFeatures extends Features {
  mask: Tensor;
}

/**
 * Encodes texts: tokens after the final LayerNorm, embeds at each text's first EOS. `prompts` holds J tensors
 * [r, d_t], one a layer from the first on; they carry no position and are always attended to.
 */
export function encodeText(
  p: ParameterStore,
  config: ClipConfig,
  batch: TextBatch,
  prompts: readonly Tensor[] = [],
): TextFeatures {
  const { width, vocabulary, maxLength } = config.text;
  const { count: B, length: L } = batch;
  const text = p.under('text_model');
  const table = text.get('embeddings.token_embedding.weight', [vocabulary, width]);
  const positions = text.get('embeddings.position_embedding.weight', [maxLength, width]);
  const { ids, mask, lastRows } = textInputs(table.device, config, batch, promptLength(prompts));

  let x = add(embedding(table, ids), slice(positions, 0, 0, L)); // [B, L, d_t]
  x = runBlocks(text.under('encoder.layers'), config.text, x, prompts, mask); // [B, r + L, d_t]
  const tokens = norm(text, 'final_layer_norm', x);
  const eos = embedding(reshape(tokens, [-1, width]), lastRows); // [B, d_t]
  const embeds = l2Normalize(linear(eos, p.get('text_projection.weight', [config.projection, width]), null));
  return { tokens, embeds: reshape(embeds, [B, config.projection]), mask };
}

/**
 * Encodes images: pixels [B, 3, S, S], normalised. Tokens are the last block's, without the post-LayerNorm
 * (Hugging Face's last_hidden_state), CLS at position r; embeds come from the post-LayerNormed CLS.
 * `prompts` holds J tensors [r, d_v].
 */
export function encodeImage(
  p: ParameterStore,
  config: ClipConfig,
  pixels: Tensor,
  prompts: readonly Tensor[] = [],
): Features {
  const { width, imageSize, patchSize } = config.vision;
  const B = pixels.shape[0] ?? 0;
  if (`${pixels.shape}` !== `${[B, 3, imageSize, imageSize]}`) {
    throw new ShapeError(`encodeImage: ${describe(pixels)} must be [B, 3, ${imageSize}, ${imageSize}]`);
  }
  const vision = p.under('vision_model');
  const N = 1 + Math.floor(imageSize / patchSize) ** 2;
  const kernel = vision.get('embeddings.patch_embedding.weight', [width, 3, patchSize, patchSize]);
  const cls = vision.get('embeddings.class_embedding', [width]);
  const positions = vision.get('embeddings.position_embedding.weight', [N, width]);

  const patches = patchEmbedding(pixels, kernel); // [B, N - 1, d_v]
  let x = add(concat([broadcastTo(cls, [B, 1, width]), patches], 1), positions); // [B, N, d_v]
  x = norm(vision, 'pre_layrnorm', x); // spelt so in the checkpoints
  const tokens = runBlocks(vision.under('encoder.layers'), config.vision, x, prompts); // [B, r + N, d_v]
  const first = reshape(slice(tokens, 1, promptLength(prompts), 1), [B, width]);
  const projection = p.get('visual_projection.weight', [config.projection, width]);
  return { tokens, embeds: l2Normalize(linear(norm(vision, 'post_layernorm', first), projection, null)) };
}

/**
 * The transformer with deep prompts: layer i <= J takes prompts[i - 1] in front of the tokens, and what the
 * layer before made of its own is dropped; from layer J + 1 on they are processed on.
 * x [B, T, d], mask i32 [B, r + T] for a causal stack -> [B, r + T, d] (r = 0 without prompts).
 */
function runBlocks(
  p: ParameterStore,
  config: TransformerConfig,
  x: Tensor,
  prompts: readonly Tensor[],
  mask?: Tensor,
): Tensor {
  const [B, T] = x.shape as [number, number];
  const r = promptLength(prompts);
  if (prompts.length > config.layers) {
    throw new ShapeError(`prompts for ${prompts.length} layers, the encoder has ${config.layers}`);
  }
  let y = x;
  for (let i = 0; i < config.layers; i++) {
    const prompt = prompts[i];
    if (prompt) {
      const tokens = i === 0 ? y : slice(y, 1, r, T);
      y = concat([broadcastTo(prompt, [B, r, config.width]), tokens], 1); // [B, r + T, d]
    }
    const input = y;
    // A frozen block's activations go at once; a trained one's stay for backward.
    y = x.device.scope(() => block(p.under(`${i}`), config, input, mask));
  }
  return y;
}

/** One pre-LN block, x [B, T, d]; causal exactly when it has a key mask (only the text encoder has one). */
function block(p: ParameterStore, config: TransformerConfig, x: Tensor, mask?: Tensor): Tensor {
  const { width, hidden, heads } = config;
  const attn = p.under('self_attn');
  const project = (name: string, of: Tensor, residual?: Tensor) => {
    const { weight, bias } = layer(attn, name, width, width);
    return linear(of, weight, bias, residual ? { residual } : {});
  };
  const h = norm(p, 'layer_norm1', x);
  const [q, k, v] = [project('q_proj', h), project('k_proj', h), project('v_proj', h)];
  const mixed = attention(q, k, v, mask ? { heads, causal: true, keyMask: mask } : { heads });
  const y = project('out_proj', mixed, x);

  const [fc1, fc2] = [layer(p, 'mlp.fc1', width, hidden), layer(p, 'mlp.fc2', hidden, width)];
  return feedForward(norm(p, 'layer_norm2', y), fc1, fc2, y);
}

function layer(p: ParameterStore, name: string, inputs: number, outputs: number): LinearWeights {
  return { weight: p.get(`${name}.weight`, [outputs, inputs]), bias: p.get(`${name}.bias`, [outputs]) };
}

function norm(p: ParameterStore, name: string, x: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  return layerNorm(x, p.get(`${name}.weight`, [width]), p.get(`${name}.bias`, [width]));
}

function promptLength(prompts: readonly Tensor[]): number {
  return prompts[0]?.shape[0] ?? 0;
}

/**
 * The batch on the device: ids [B, L], mask with r ones in front [B, r + L], and for each text the row of
 * its EOS among all B (r + L) tokens [B]. Made on the host, where the ids are, so that nothing is read back.
 */
function textInputs(device: Device, config: ClipConfig, batch: TextBatch, r: number) {
  const { count: B, length: L } = batch;
  checkTexts(config, batch);
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

/** Ids must be tokens, and each mask a run of ones: everything after relies on it. */
function checkTexts(config: ClipConfig, { ids, mask, count, length }: TextBatch): void {
  const { vocabulary, maxLength } = config.text;
  if (length > maxLength) {
    throw new ShapeError(`encodeText: texts of ${length} tokens, the encoder takes ${maxLength}`);
  }
  if (ids.length !== count * length || mask.length !== count * length) {
    throw new ShapeError(
      `encodeText: ${ids.length} ids and ${mask.length} mask values for ${count} texts of ${length} tokens`,
    );
  }
  for (let i = 0; i < ids.length; i++) {
    const text = Math.floor(i / length);
    if (!(ids[i]! >= 0 && ids[i]! < vocabulary)) {
      throw new ShapeError(`encodeText: text ${text} has token id ${ids[i]}, the vocabulary ${vocabulary}`);
    }
    const before = i % length === 0 ? 1 : mask[i - 1]!;
    const isFirst = i % length === 0;
    if ((mask[i] !== 0 && mask[i] !== 1) || mask[i]! > before || (isFirst && mask[i] !== 1)) {
      throw new ShapeError(`encodeText: the mask of text ${text} is not ones followed by zeros`);
    }
  }
}
