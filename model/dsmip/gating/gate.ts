// The modality selection gating network (section 3.3 of the paper): how well each of B experts suits each pair of a
// mention and an entity. M mentions, E entities, f: width of the gate's features, g: hidden width.

import { noGrad } from '../../../engine/autograd.ts';
import { ShapeError } from '../../../engine/errors.ts';
import { dropout } from '../../../engine/ops/dropout.ts';
import { add, leakyRelu, relu } from '../../../engine/ops/elementwise.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { linear } from '../../../engine/ops/linear.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { concat, reshape, slice } from '../../../engine/ops/shape.ts';
import type { Random } from '../../../engine/random.ts';
import { describe, type Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import type { TextBatch } from '../../clip/clip.ts';
import type { Linear } from '../../layers.ts';
import { type ParameterSource, zeroLinear } from '../../parameter-source.ts';

/** By expert of a choice by side, what it sees of a side: 0 the text, 1 both. Text-text, text-both, both-text, both-both. */
const modalityOf = { mention: [0, 0, 1, 1], entity: [0, 1, 0, 1] } satisfies Record<Side, readonly number[]>;

/** What a gate of either form gives of a side. */
interface GateNetwork {
  /** One side's half of pi = relu(u + v), [n, B] of features [n, f]. Throws ShapeError. */
  logits(side: Side, f: Tensor, drop?: GateDropout): Tensor;
}

export interface GateConfig {
  /** g, width of both layers of each side. */
  hidden: number;
  /** B, the number of experts. */
  experts: number;
}

/**
 * How a gate by pair starts: as PyTorch starts linear layers, or with the entity's side at 0, so that at first it chooses
 * for each mention and learns from there which entities differ. An addition of ours: choices that jump from entity to entity
 * make scores of one mention compare that do not.
 */
export const gateStarts = ['random', 'mention'] as const;
export type GateStart = (typeof gateStarts)[number];

/** Dropout after each layer of a side, in training. */
export interface GateDropout {
  rate: number;
  random: Random;
}

/**
 * f_m or f_e = [mean token embedding over the real tokens, image feature]: table [vocabulary, d_t] without
 * positions, image [B, d_i] -> [B, d_t + d_i]. No gradient flows into it.
 */
export function gateFeatures(table: Tensor, texts: TextBatch, image: Tensor): Tensor {
  const { ids, mask, count: B, length: L } = texts;
  const [, width] = table.shape as [number, number];
  const { device } = table;
  const weights = new Float32Array(B * L);
  for (let b = 0; b < B; b++) {
    const row = mask.subarray(b * L, (b + 1) * L);
    const real = row.reduce((sum, m) => sum + m, 0);
    row.forEach((m, i) => {
      weights[b * L + i] = m / real;
    });
  }
  return noGrad(() =>
    device.scope(() => {
      const tokens = embedding(table, device.tensor([B, L], ids, { name: 'token ids' })); // [B, L, d_t]
      const mean = matmul(device.tensor([B, 1, L], weights), tokens); // [B, 1, d_t]
      return concat([reshape(mean, [B, width]), image], 1);
    }),
  );
}

export class Gate implements GateNetwork {
  #layers: Readonly<Record<Side, readonly Linear[]>>;
  #out: Linear;

  /** f: width of the features. The last bias starts at 1, so that ReLU lets every expert through. */
  constructor(
    source: ParameterSource,
    { hidden: g, experts: B }: GateConfig,
    f: number,
    start: GateStart = 'random',
  ) {
    const p = source.under('gate');
    this.#layers = {
      mention: [p.linear('mention.0', f, g), p.linear('mention.1', g, g)],
      entity: [p.linear('entity.0', f, g), p.linear('entity.1', g, g, start === 'mention' ? zeroLinear : {})],
    };
    this.#out = p.linear('out', 2 * g, B, { bias: { value: 1 } });
  }

  /**
   * pi [M, E, B] of mention [M, f] and entity [E, f] features; at least 0, not normalised. Dropout in training only.
   * Throws ShapeError.
   */
  probabilities(mention: Tensor, entity: Tensor, drop?: GateDropout): Tensor {
    const [M, E] = [mention.shape[0]!, entity.shape[0]!];
    const mentionLogits = this.logits('mention', mention, drop); // [M, B]
    const entityLogits = this.logits('entity', entity, drop); // [E, B]
    const B = mentionLogits.shape[1]!;
    return relu(add(reshape(mentionLogits, [M, 1, B]), reshape(entityLogits, [1, E, B])));
  }

  /**
   * One side's part of pi = relu(mentionLogits + entityLogits), [n, B] of features [n, f]: FC over [h_m, h_e] is the sum
   * of what it makes of either. The bias is the entity's. Throws ShapeError.
   */
  logits(side: Side, f: Tensor, drop?: GateDropout): Tensor {
    if (f.rank !== 2) throw new ShapeError(`gate: features (${describe(f)}) must be [samples, width]`);
    const g = this.#out.weight.shape[1]! / 2;
    const weight = slice(this.#out.weight, 1, side === 'mention' ? 0 : g, g);
    return linear(hiddenOf(this.#layers[side], f, drop), weight, side === 'mention' ? null : this.#out.bias);
  }
}

/**
 * A gate that chooses a modality for each side by itself (an answer to the paper's limitation that one expert looks at both
 * sides alike; an addition of ours): pi_a(m) and pi_b(e) [n, 2], and the pair's expert is that of modality a for the mention
 * and b for the entity. As the paper's gate adds its halves before it takes the largest, sums of these two choose each
 * side's largest.
 */
export class SideGate implements GateNetwork {
  #layers: Readonly<Record<Side, readonly Linear[]>>;
  #out: Readonly<Record<Side, Linear>>;

  /** f: width of the features. The last biases start at 1, so that ReLU lets both modalities through. */
  constructor(source: ParameterSource, g: number, f: number) {
    const p = source.under('gate');
    const of = (side: Side) => ({
      layers: [p.linear(`${side}.0`, f, g), p.linear(`${side}.1`, g, g)],
      out: p.linear(`${side}.out`, g, 2, { bias: { value: 1 } }),
    });
    const [mention, entity] = [of('mention'), of('entity')];
    this.#layers = { mention: mention.layers, entity: entity.layers };
    this.#out = { mention: mention.out, entity: entity.out };
  }

  /** pi of a side's modalities, text and both: [n, f] -> [n, 2], at least 0. */
  modalities(side: Side, f: Tensor, drop?: GateDropout): Tensor {
    return relu(this.#out[side](hiddenOf(this.#layers[side], f, drop)));
  }

  /** The same by expert, [n, 4]. */
  logits(side: Side, f: Tensor, drop?: GateDropout): Tensor {
    const pi = this.modalities(side, f, drop);
    return concat(
      modalityOf[side].map((modality) => slice(pi, 1, modality, 1)),
      1,
    );
  }
}

/** h_m or h_e: two layers of FC, LeakyReLU and dropout, [n, f] -> [n, g]. */
export function hiddenOf(layers: readonly Linear[], f: Tensor, drop?: GateDropout): Tensor {
  let x = f;
  for (const layer of layers) {
    x = leakyRelu(layer(x), 0.01);
    if (drop) x = dropout(x, drop.rate, drop.random);
  }
  return x;
}
