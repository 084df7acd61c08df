// JMEL (Adjali et al. 2020, "Multimodal Entity Linking for Tweets", ECIR): texts and images of both sides in a joint space, each
// side by a branch with weights of its own. Widths are the house definition of the baselines.
//
// B samples. Widths: d_t of a text, d_z of an image, h of what either becomes, z of the joint space.

import type { Device } from '../../../engine/device.ts';
import { dropout } from '../../../engine/ops/dropout.ts';
import { mul, relu } from '../../../engine/ops/elementwise.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { concat } from '../../../engine/ops/shape.ts';
import type { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import type { Linear } from '../../layers.ts';
import type { ParameterSource } from '../../parameter-source.ts';
import { paddedRows } from '../padded-rows.ts';
import { ngramRows } from './ngram-rows.ts';

/** Token ids are embedded here, alone and as pairs of neighbours hashed into buckets. */
interface TokenTable {
  vocabulary: number;
  /** A power of 2. */
  buckets: number;
}

export interface JmelConfig {
  /** null: texts come as embeds of a frozen encoder. */
  tokens: TokenTable | null;
  /** d_t */
  textWidth: number;
  /** d_z */
  imageWidth: number;
  /** h */
  branchWidth: number;
  /** z */
  jointWidth: number;
}

/** Samples of a side. */
export interface JmelInput {
  /** Embeds [B, d_t] of a frozen encoder, or token ids, a list a text. */
  text: Tensor | readonly ArrayLike<number>[];
  /** [B, d_z] */
  image: Tensor;
}

export interface JmelDropout {
  rate: number;
  random: Random;
}

/** A branch for each side. */
export class Jmel {
  #branches: Readonly<Record<Side, Branch>>;

  constructor(p: ParameterSource, config: JmelConfig) {
    this.#branches = {
      mention: new Branch(p.under('mention'), config),
      entity: new Branch(p.under('entity'), config),
    };
  }

  /** norm(output drop(relu([text t; image v]))): [B, z]. Dropout in training only. Throws ShapeError. */
  encode(side: Side, input: JmelInput, drop: JmelDropout | null = null): Tensor {
    return this.#branches[side].encode(input, drop);
  }
}

class Branch {
  #tokens: { table: Tensor; sizes: TokenTable } | null;
  #text: Linear;
  #image: Linear;
  #output: Linear;

  constructor(p: ParameterSource, { tokens, textWidth, imageWidth, branchWidth, jointWidth }: JmelConfig) {
    this.#tokens = tokens && {
      sizes: tokens,
      table: p.parameter('embedding.weight', [tokens.vocabulary + tokens.buckets, textWidth], {
        deviation: 1,
      }),
    };
    this.#text = p.linear('text', textWidth, branchWidth);
    this.#image = p.linear('image', imageWidth, branchWidth);
    this.#output = p.linear('output', 2 * branchWidth, jointWidth);
  }

  encode({ text, image }: JmelInput, drop: JmelDropout | null): Tensor {
    const t = 'shape' in text ? text : this.#meanRows(image.device, text); // [B, d_t]
    const h = relu(concat([this.#text(t), this.#image(image)], 1)); // [B, 2h]
    return l2Normalize(this.#output(drop ? dropout(h, drop.rate, drop.random) : h));
  }

  /** The mean of the table's rows for each text, 0 for an empty one: [B, d_t]. */
  #meanRows(device: Device, texts: readonly ArrayLike<number>[]): Tensor {
    const { table, sizes } = this.#tokens!;
    const rows = texts.map((ids) => ngramRows(ids, sizes.vocabulary, sizes.buckets));
    const { ids } = paddedRows(device, rows);
    const [B, L] = ids.shape as [number, number];
    const weights = new Float32Array(B * L);
    for (const [i, { length }] of rows.entries()) weights.fill(1 / length, i * L, i * L + length);
    return sum(mul(embedding(table, ids), device.tensor([B, L, 1], weights, { name: 'weights of rows' })), 1);
  }
}
