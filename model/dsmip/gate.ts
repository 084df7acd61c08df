// The modality selection gating network (section 3.3 of the paper): how well each of B experts suits each pair of a
// mention and an entity. M mentions, E entities, f: width of the gate's features, g: hidden width.

import { noGrad } from '../../engine/autograd.ts';
import { ShapeError } from '../../engine/errors.ts';
import { dropout } from '../../engine/ops/dropout.ts';
import { add, div, leakyRelu, relu, sub } from '../../engine/ops/elementwise.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { linear as linearOp } from '../../engine/ops/linear.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { concat, reshape, slice } from '../../engine/ops/shape.ts';
import type { Random } from '../../engine/random.ts';
import { describe, type Tensor } from '../../engine/tensor.ts';
import type { TextBatch } from '../clip/clip.ts';
import { linear } from '../layers.ts';
import type { ParameterStore } from '../parameter-store.ts';

export interface GateConfig {
  /** g, width of both layers of each side. */
  hidden: number;
  /** B, the number of experts. */
  experts: number;
}

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

/** (f - mean) / deviation, column by column: f [B, f], mean and deviation [f] over the training set. */
export function standardise(f: Tensor, mean: Tensor, deviation: Tensor): Tensor {
  return div(sub(f, mean), deviation);
}

/**
 * pi [M, E, B] of mention [M, f] and entity [E, f] features; at least 0, not normalised. Dropout in training only.
 * Throws ShapeError, ParameterError.
 */
export function gateProbabilities(
  p: ParameterStore,
  { hidden: g, experts: B }: GateConfig,
  mention: Tensor,
  entity: Tensor,
  drop?: GateDropout,
): Tensor {
  for (const side of [mention, entity]) {
    if (side.rank !== 2) throw new ShapeError(`gate: features (${describe(side)}) must be [samples, width]`);
  }
  const [M, E] = [mention.shape[0]!, entity.shape[0]!];
  const config = { hidden: g, experts: B };
  const ofMention = gateHalf(p, config, 'mention', mention, drop);
  const ofEntity = gateHalf(p, config, 'entity', entity, drop);
  return relu(add(reshape(ofMention, [M, 1, B]), reshape(ofEntity, [1, E, B])));
}

/**
 * One side's share of pi = relu(u_m + v_e): u or v [n, B] of features [n, f], since FC over [h_m, h_e] is the sum of its
 * two halves. The bias is the entity's.
 */
export function gateHalf(
  p: ParameterStore,
  { hidden: g, experts: B }: GateConfig,
  of: 'mention' | 'entity',
  f: Tensor,
  drop?: GateDropout,
): Tensor {
  const gate = p.under('gate');
  const weight = slice(gate.get('out.weight', [B, 2 * g]), 1, of === 'mention' ? 0 : g, g);
  const bias = of === 'mention' ? null : gate.get('out.bias', [B]);
  return linearOp(side(gate, of, g, f, drop), weight, bias);
}

/** h_m or h_e: two layers of FC, LeakyReLU and dropout, [., f] -> [., g]. */
function side(
  p: ParameterStore,
  name: 'mention' | 'entity',
  g: number,
  f: Tensor,
  drop?: GateDropout,
): Tensor {
  let x = f;
  for (let i = 0; i < 2; i++) {
    x = leakyRelu(linear(p, `${name}.${i}`, x, g), 0.01);
    if (drop) x = dropout(x, drop.rate, drop.random);
  }
  return x;
}
