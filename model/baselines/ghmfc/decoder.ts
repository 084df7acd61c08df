// GHMFC's decoders: a sequence looks at another one. As released (seukgcode/MEL-GHMFC), both attentions of a layer are
// added to what came into it, q, so that what self-attention found only asks the questions of cross-attention.
//
// B: batch, Lq, Lk: tokens of the sequence and of the one looked at, h: width.

import { attention } from '../../../engine/ops/attention/attention.ts';
import { dropout } from '../../../engine/ops/dropout.ts';
import { add, relu } from '../../../engine/ops/elementwise.ts';
import type { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Linear, Norm } from '../../layers.ts';
import type { ParameterSource } from '../../parameter-source.ts';

export interface DecoderConfig {
  /** h */
  width: number;
  /** They divide `width`. */
  heads: number;
  /** Width of the feed-forward layers. */
  hidden: number;
  layers: number;
}

/**
 * What training leaves out at random: of what each sublayer adds, and of the hidden layers. Not of the attention's
 * probabilities, as the release did: the attention kernels never write them.
 */
export interface Dropped {
  rate: number;
  random: Random;
}

/** Tokens [B, L, h] and, of those with padding, which are real: i32 [B, L]. */
export interface Sequence {
  tokens: Tensor;
  mask?: Tensor;
}

const eps = 1e-6;

export class Decoder {
  #layers: Layer[];
  #norm: Norm;

  constructor(p: ParameterSource, config: DecoderConfig) {
    const layers = p.under('layers');
    this.#layers = Array.from({ length: config.layers }, (_, i) => new Layer(layers.under(`${i}`), config));
    this.#norm = p.norm('norm', config.width, eps);
  }

  /** The queries' tokens after they have looked at the keys': [B, Lq, h]; what stands on padding means nothing. */
  run(queries: Sequence, keys: Sequence, dropped?: Dropped): Tensor {
    let { tokens } = queries;
    for (const layer of this.#layers) tokens = layer.run({ ...queries, tokens }, keys, dropped);
    return this.#norm(tokens);
  }
}

/** q1 = q + self(q), q2 = q + cross(q1, keys), then q2 + fc2 relu(fc1 LN(q2)). */
class Layer {
  #self: Attention;
  #cross: Attention;
  #norm: Norm;
  #fc1: Linear;
  #fc2: Linear;

  constructor(p: ParameterSource, { width, heads, hidden }: DecoderConfig) {
    this.#self = new Attention(p.under('self_attention'), width, heads);
    this.#cross = new Attention(p.under('cross_attention'), width, heads);
    this.#norm = p.norm('norm', width, eps);
    this.#fc1 = p.linear('fc1', width, hidden);
    this.#fc2 = p.linear('fc2', hidden, width);
  }

  run(queries: Sequence, keys: Sequence, dropped?: Dropped): Tensor {
    const q = queries.tokens;
    const q1 = this.#self.addTo(q, q, queries, dropped);
    const q2 = this.#cross.addTo(q, q1, keys, dropped);
    const u = thinned(relu(this.#fc1(this.#norm(q2))), dropped);
    return plus(q2, u, this.#fc2, dropped);
  }
}

/** Multi-head attention with its four projections. */
class Attention {
  #heads: number;
  #query: Linear;
  #key: Linear;
  #value: Linear;
  #output: Linear;

  constructor(p: ParameterSource, width: number, heads: number) {
    this.#heads = heads;
    this.#query = p.linear('query', width, width);
    this.#key = p.linear('key', width, width);
    this.#value = p.linear('value', width, width);
    this.#output = p.linear('output', width, width);
  }

  /** x + what the queries find among the keys: [B, Lq, h]. */
  addTo(x: Tensor, queries: Tensor, { tokens, mask }: Sequence, dropped?: Dropped): Tensor {
    const heads = this.#heads;
    const [q, k, v] = [this.#query(queries), this.#key(tokens), this.#value(tokens)];
    const found = attention(q, k, v, mask ? { heads, keyMask: mask } : { heads });
    return plus(x, found, this.#output, dropped);
  }
}

/** x + layer(u), some of what is added left out. */
function plus(x: Tensor, u: Tensor, layer: Linear, dropped?: Dropped): Tensor {
  return dropped ? add(x, thinned(layer(u), dropped)) : layer(u, { residual: x });
}

export function thinned(x: Tensor, dropped?: Dropped): Tensor {
  return dropped ? dropout(x, dropped.rate, dropped.random) : x;
}
