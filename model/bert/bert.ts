// BERT's encoder as in Hugging Face's BertModel (Devlin et al. 2019, arXiv:1810.04805): post-LN transformer blocks with exact
// GELU, every token attends to every real one. Layers may attend to another sequence too, as ALBEF's do to an image (Li et al.
// 2021, arXiv:2107.07651). Parameter names are those of its checkpoints; parameters start as BertModel's _init_weights has
// it. Knows nothing of files.
//
// B: batch, L: tokens, d: width; R, d_c: tokens and width of the other sequence.

import type { TextBatch } from '../../encoding/samples.ts';
import { ShapeError } from '../../engine/errors.ts';
import { attention } from '../../engine/ops/attention/attention.ts';
import { dropout } from '../../engine/ops/dropout.ts';
import { add, tanh } from '../../engine/ops/elementwise.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { feedForward } from '../../engine/ops/feed-forward.ts';
import { l2Normalize } from '../../engine/ops/l2-normalize.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { reshape, slice } from '../../engine/ops/shape.ts';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Linear, Norm } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';
import { checkTexts, meanWeights } from '../text-batch.ts';

/** The comments name the fields of Hugging Face's config.json. */
export interface BertConfig {
  /** d: `hidden_size`. */
  width: number;
  /** Width of the feed-forward layers: `intermediate_size`. */
  hidden: number;
  /** `num_attention_heads`; they divide `width`. */
  heads: number;
  /** `num_hidden_layers`. */
  layers: number;
  /** `vocab_size`. */
  vocabulary: number;
  /** `max_position_embeddings`. */
  maxLength: number;
  /** Token types, one a segment: `type_vocab_size`. */
  types: number;
  /** Added to the variance in LayerNorm: `layer_norm_eps`. */
  eps: number;
  /**
   * Layers from `first` on attend to another sequence of this width between attention and feed-forward: ALBEF's
   * `fusion_layer` and `encoder_width`. Default: none does.
   */
  crossAttention?: { first: number; width: number };
}

/** Texts as token ids, [CLS] first. */
export interface BertBatch extends TextBatch {
  /** The segment of each token [count, length]; default 0. */
  types?: Int32Array<ArrayBuffer>;
  /** The place of each token [count, length]; default 0, 1, 2, ... */
  positions?: Int32Array<ArrayBuffer>;
}

/**
 * What training leaves out at random: of the embeddings and of what each sublayer adds. Not of the attention's probabilities, as
 * BERT's own training did: the attention kernels never write them.
 */
export interface BertDropout {
  rate: number;
  random: Random;
  /** What is thinned is every so manieth token, from the first on: it is thinned as among all. Default 1. */
  every?: number;
}

/** Texts on their way through the layers. */
export interface BertStates {
  /** [B, L, d]; what stands on padding means nothing. */
  hidden: Tensor;
  /** i32 [B, L], 0 on padding; undefined where there is none. */
  keyMask: Tensor | undefined;
  dropped?: BertDropout | undefined;
}

/** Some of the layers: those from `first` to before `end`, and the tokens [B, R, d_c] that those with cross-attention see. */
export interface LayerRange {
  first?: number;
  end?: number;
  context?: Tensor;
}

const start = { deviation: 0.02 };
const linearStart = { weight: start, bias: { value: 0 } };

export class Bert {
  readonly config: BertConfig;
  /** The embedding of each token: [vocabulary, d]. */
  readonly tokenTable: Tensor;
  #positions: Tensor;
  #types: Tensor;
  #norm: Norm;
  #blocks: Block[];

  constructor(p: ParameterSource, config: BertConfig) {
    const { width, vocabulary, maxLength, types, layers, eps } = config;
    const embeddings = p.under('embeddings');
    this.config = config;
    this.tokenTable = embeddings.parameter('word_embeddings.weight', [vocabulary, width], start);
    this.#positions = embeddings.parameter('position_embeddings.weight', [maxLength, width], start);
    this.#types = embeddings.parameter('token_type_embeddings.weight', [types, width], start);
    this.#norm = embeddings.norm('LayerNorm', width, eps);
    const encoder = p.under('encoder.layer');
    this.#blocks = Array.from({ length: layers }, (_, i) => {
      const hasCross = config.crossAttention !== undefined && i >= config.crossAttention.first;
      return new Block(encoder.under(`${i}`), config, hasCross);
    });
  }

  /**
   * Encodes texts: the last hidden states [B, L, d]; what stands on padding means nothing. With dropout only where it is given,
   * for training. Throws ShapeError.
   */
  encode(batch: BertBatch, dropped?: BertDropout): Tensor {
    return this.run(this.embed(batch, dropped)).hidden;
  }

  /**
   * The last hidden states of the first tokens, [CLS], alone: [B, d], what `firstTokens` takes from those of all. The last
   * layer computes nothing of the other tokens but the keys and values that the first attends to.
   */
  encodeFirst(batch: BertBatch, dropped?: BertDropout): Tensor {
    const [B, d] = [batch.count, this.config.width];
    // Rows of such a width share blocks of random numbers: the first tokens alone cannot draw theirs.
    if (dropped && d % 4 !== 0) return firstTokens(this.encode(batch, dropped));
    const last = this.#blocks.at(-1)!;
    const states = this.run(this.embed(batch, dropped), { end: this.#blocks.length - 1 });
    return states.hidden.device.scope(() => reshape(last.runFirst(states), [B, d]));
  }

  /** What goes into the first layer; dropout as in `encode`. Throws ShapeError. */
  embed(batch: BertBatch, dropped?: BertDropout): BertStates {
    const { device } = this.tokenTable;
    const { count: B, length: L, ids, mask } = batch;
    checkTexts(this.config, batch);
    const hasPadding = mask.includes(0);
    const keyMask = hasPadding ? device.tensor([B, L], mask, { name: 'text mask' }) : undefined;
    const hidden = device.scope(() => {
      const words = embedding(this.tokenTable, device.tensor([B, L], ids, { name: 'token ids' })); // [B, L, d]
      return thinned(this.#norm(add(add(words, this.#placesOf(batch)), this.#typesOf(batch))), dropped);
    });
    return { hidden, keyMask, dropped };
  }

  /** What some of the layers, by default all, make of texts. */
  run(states: BertStates, { first = 0, end, context }: LayerRange = {}): BertStates {
    let x = states.hidden;
    for (const block of this.#blocks.slice(first, end)) {
      const input = x;
      // A frozen block's activations go at once; a trained one's stay for backward.
      x = x.device.scope(() => block.run({ ...states, hidden: input }, context));
    }
    return { ...states, hidden: x };
  }

  /** Position embeddings: [L, d], or [B, L, d] where the batch says its positions. */
  #placesOf({ positions, count, length }: BertBatch): Tensor {
    if (!positions) return slice(this.#positions, 0, 0, length);
    checkNumbers('positions', positions, count * length, this.config.maxLength);
    const places = this.#positions.device.tensor([count, length], positions, { name: 'positions' });
    return embedding(this.#positions, places);
  }

  /** Type embeddings: [1, d], or [B, L, d] where the batch says its types. */
  #typesOf({ types, count, length }: BertBatch): Tensor {
    if (!types) return slice(this.#types, 0, 0, 1);
    checkNumbers('types', types, count * length, this.config.types);
    return embedding(this.#types, this.#types.device.tensor([count, length], types, { name: 'types' }));
  }
}

/** What BertModel makes of the first token, [CLS], for classifiers: tanh of a linear layer, [B, d]. */
export class BertPooler {
  #dense: Linear;

  constructor(p: ParameterSource, { width }: BertConfig) {
    this.#dense = p.linear('pooler.dense', width, width, linearStart);
  }

  /** hidden [B, L, d], as `Bert.encode` returns them. */
  pool(hidden: Tensor): Tensor {
    return this.poolFirst(firstTokens(hidden));
  }

  /** first [B, d], as `firstTokens` gives them. */
  poolFirst(first: Tensor): Tensor {
    return tanh(this.#dense(first));
  }
}

/** The first token of each text, [CLS]: hidden [B, L, d] -> [B, d]. */
export function firstTokens(hidden: Tensor): Tensor {
  const [B, , d] = hidden.shape as [number, number, number];
  return reshape(slice(hidden, 1, 0, 1), [B, d]);
}

/**
 * The mean over each text's real tokens, [CLS] and [SEP] among them, at length 1, as sentence-transformers pools (Reimers and
 * Gurevych 2019, arXiv:1908.10084): hidden [B, L, d], mask as the batch has it -> [B, d].
 */
export function meanEmbeds(hidden: Tensor, mask: Int32Array): Tensor {
  const [B, L, d] = hidden.shape as [number, number, number];
  const weights = hidden.device.tensor([B, 1, L], meanWeights(mask, L), { name: 'token weights' });
  const mean = matmul(weights, hidden); // [B, 1, d]
  return l2Normalize(reshape(mean, [B, d]));
}

/** One post-LN block: x' = LN(x + attention(x)), then LN(x' + feed-forward(x')); the other sequence comes between them. */
class Block {
  #attention: Attention;
  #crossAttention: Attention | null;
  #fc1: Linear;
  #fc2: Linear;
  #norm: Norm;

  constructor(p: ParameterSource, config: BertConfig, hasCross: boolean) {
    const { width, hidden, eps, crossAttention } = config;
    this.#attention = new Attention(p.under('attention'), config, width);
    this.#crossAttention =
      hasCross && crossAttention
        ? new Attention(p.under('crossattention'), config, crossAttention.width)
        : null;
    this.#fc1 = p.linear('intermediate.dense', width, hidden, linearStart);
    this.#fc2 = p.linear('output.dense', hidden, width, linearStart);
    this.#norm = p.norm('output.LayerNorm', width, eps);
  }

  /** x [B, L, d] -> [B, L, d]; all of context [B, R, d_c] is attended to. */
  run(states: BertStates, context?: Tensor): Tensor {
    return this.#runOn(states.hidden, states, context);
  }

  /** x [B, L, d] -> [B, 1, d]: of the first token alone. */
  runFirst(states: BertStates): Tensor {
    const { hidden, dropped } = states;
    const own = dropped && { ...dropped, every: hidden.shape[1]! };
    return this.#runOn(slice(hidden, 1, 0, 1), { ...states, dropped: own });
  }

  /** x: those tokens of the hidden states that are wanted. */
  #runOn(x: Tensor, { hidden, keyMask, dropped }: BertStates, context?: Tensor): Tensor {
    let y = this.#attention.run(x, hidden, keyMask, dropped);
    if (this.#crossAttention) {
      if (!context) throw new ShapeError('a layer with cross-attention needs a sequence to attend to');
      y = this.#crossAttention.run(y, context, undefined, dropped);
    }
    if (!dropped) return this.#norm(feedForward(y, this.#fc1, this.#fc2, y, 'gelu'));
    return this.#norm(add(y, thinned(feedForward(y, this.#fc1, this.#fc2, null, 'gelu'), dropped)));
  }
}

/** LN(x + attention of x over y): one sublayer, for y = x and for another sequence. */
class Attention {
  #heads: number;
  #query: Linear;
  #key: Linear;
  #value: Linear;
  #out: Linear;
  #norm: Norm;

  constructor(p: ParameterSource, { width, heads, eps }: BertConfig, keyWidth: number) {
    this.#heads = heads;
    this.#query = p.linear('self.query', width, width, linearStart);
    this.#key = p.linear('self.key', keyWidth, width, linearStart);
    this.#value = p.linear('self.value', keyWidth, width, linearStart);
    this.#out = p.linear('output.dense', width, width, linearStart);
    this.#norm = p.norm('output.LayerNorm', width, eps);
  }

  /** x [B, T, d] and y [B, U, d_y] -> [B, T, d]; keys with 0 in keyMask [B, U] are not attended to. */
  run(x: Tensor, y: Tensor, keyMask?: Tensor, dropped?: BertDropout): Tensor {
    const heads = this.#heads;
    const [q, k, v] = [this.#query(x), this.#key(y), this.#value(y)];
    const mixed = attention(q, k, v, keyMask ? { heads, keyMask } : { heads });
    if (!dropped) return this.#norm(this.#out(mixed, { residual: x }));
    return this.#norm(add(x, thinned(this.#out(mixed), dropped)));
  }
}

function thinned(x: Tensor, dropped?: BertDropout): Tensor {
  return dropped ? dropout(x, dropped.rate, dropped.random, dropped.every) : x;
}

/** Throws ShapeError unless there are so many numbers, each from 0 to `limit` - 1. */
function checkNumbers(what: string, numbers: Int32Array, count: number, limit: number): void {
  if (numbers.length !== count) {
    throw new ShapeError(`encodeText: ${numbers.length} ${what}, expected ${count}`);
  }
  const wrong = numbers.findIndex((one) => one < 0 || one >= limit);
  if (wrong >= 0) {
    throw new ShapeError(`encodeText: ${what}[${wrong}] is ${numbers[wrong]}, expected less than ${limit}`);
  }
}
