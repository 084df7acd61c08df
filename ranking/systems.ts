// From the scores of parts to a system's: a weighted sum, or for each pair the score of the part that a gate picks, by
// expert-choice.wgsl; and what the gate picked, as a mask and in numbers.

import type { Device } from '../engine/device.ts';
import { rowShape } from '../engine/kernels/rows.ts';
import { add, scale } from '../engine/ops/elementwise.ts';

import type { Tensor } from '../engine/tensor.ts';

/** The gate's logits of a block of pairs, on the device. B: parts. */
export interface PairLogits {
  /** [M, B] */
  u: Tensor;
  /** [E, B], or [1, B] for all entities. */
  v: Tensor;
  isShared: boolean;
}

/** The weighted sum of scores [M, E]; those of weight 0 may be null. */
export function weightedScores(weights: readonly number[], scores: readonly (Tensor | null)[]): Tensor {
  const weighted = weights.flatMap((weight, i) => (weight === 0 ? [] : [{ weight, score: scores[i]! }]));
  const [first] = weighted;
  const isEqual = weighted.every(({ weight }) => weight === first!.weight);
  if (isEqual) {
    const sum = weighted.map(({ score }) => score).reduce(add);
    return first!.weight === 1 ? sum : scale(sum, first!.weight);
  }
  return weighted.map(({ weight, score }) => scale(score, weight)).reduce(add);
}

/**
 * Of each pair the score of the part that the gate picks, times its scale plus its offset: [M, E]. Parts that are picked
 * for no pair may be null. `calibration` [2, B]: scales, then offsets.
 */
export function chosenScores(
  calibration: Tensor,
  scores: readonly (Tensor | null)[],
  logits: PairLogits,
): Tensor {
  const any = scores.find((score) => score !== null)!;
  const [M, E] = any.shape as [number, number];
  const { u, device, params, pairs } = operands(logits, E);
  const y = device.empty([M, E], 'f32', 'scores of the chosen parts');
  const stacked = device.empty([scores.length, M, E], 'f32', 'scores of all parts');
  scores.forEach((score, i) => {
    if (score) device.copy(score, stacked, M * E, 0, i * M * E);
  });
  device.run({
    kernel: 'expert-choice',
    entry: 'select_scores',
    constants: pairs.constants,
    buffers: { u, v: logits.v, scores: stacked, calibration, y },
    params,
    grid: pairs.grid,
    bytes: 8 * M * E,
  });
  return y;
}

/** u32 [M, E], 1 on the pairs for which the gate picks the part of that number, of those in `listed` (u32 [M, E]) if given. */
export function pairMask(
  logits: PairLogits,
  entities: number,
  part: number,
  listed: Tensor | null = null,
): Tensor {
  const { u, device, params, pairs } = operands(logits, entities);
  const mask = device.empty([params.mentions, entities], 'u32', 'pairs of a part');
  device.run({
    kernel: 'expert-choice',
    entry: 'select_mask',
    constants: { ...pairs.constants, EXPERT: part, LISTED: listed !== null },
    buffers: { u, v: logits.v, pair_mask: mask, listed: listed ?? device.dummy(0) },
    params,
    grid: pairs.grid,
    bytes: 4 * mask.size,
  });
  return mask;
}

/**
 * Adds to counts u32 [M, 2, B] how often the gate picks each part: of all entities, of those without an image.
 * `hasNoImage` u32 [E].
 */
export function countChoices(logits: PairLogits, hasNoImage: Tensor, counts: Tensor): void {
  const { u, device, params, gate } = operands(logits, hasNoImage.size);
  const { constants, grid } = rowShape(device, hasNoImage.size, false);
  device.run({
    kernel: 'expert-choice',
    entry: 'count_choices',
    constants: { ...constants, ...gate },
    buffers: { u, v: logits.v, has_no_image: hasNoImage, counts },
    params,
    grid: grid(params.mentions),
  });
}

function operands({ u, isShared }: PairLogits, entities: number) {
  const [mentions, parts] = u.shape as [number, number];
  const device: Device = u.device;
  const gate = { EXPERTS: parts, STEP: isShared ? 0 : 1 };
  return {
    u,
    device,
    gate,
    params: { mentions, entities, nan: Number.NaN },
    /** Where an invocation owns an entity and 8 mentions. */
    pairs: {
      constants: { ...gate, LANES: 1, ROWS: 8 },
      grid: [Math.ceil(entities / 64), Math.ceil(mentions / 8), 1] as const,
    },
  };
}
