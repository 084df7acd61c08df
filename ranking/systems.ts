// From the scores of parts to a system's: a weighted sum, or for each pair the score of the part that a gate picks, by
// expert-choice.wgsl; and what the gate picked, as a mask and in numbers.

import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import { add, scale } from '../engine/ops/elementwise.ts';
import { rowShape } from '../engine/ops/rows.ts';
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

/** The most parts that the kernel binds. */
const mostParts = 3;

/**
 * Of each pair the score of the part that the gate picks, times its scale plus its offset: [M, E]. Parts that are picked
 * for no pair may be null. `calibration` [2, B]: scales, then offsets. Throws EngineError for more parts than the kernel
 * binds.
 */
export function chosenScores(
  calibration: Tensor,
  scores: readonly (Tensor | null)[],
  logits: PairLogits,
): Tensor {
  if (scores.length > mostParts) {
    throw new EngineError(`a gate picks one of ${scores.length} parts: expected at most ${mostParts}`);
  }
  const any = scores.find((score) => score !== null)!;
  const [M, E] = any.shape as [number, number];
  const { u, device, params, pairs } = operands(logits, E);
  const y = device.empty([M, E], 'f32', 'scores of the chosen parts');
  const [s_0, s_1, s_2] = [0, 1, 2].map((i) => scores[i] ?? device.dummy(i));
  device.run({
    kernel: 'expert-choice',
    entry: 'choose',
    constants: pairs.constants,
    buffers: { u, v: logits.v, s_0: s_0!, s_1: s_1!, s_2: s_2!, calibration, y },
    params,
    grid: pairs.grid,
    bytes: 8 * M * E,
  });
  return y;
}

/** u32 [M, E], 1 on the pairs for which the gate picks the part of that number. */
export function pairMask(logits: PairLogits, entities: number, part: number): Tensor {
  const { u, device, params, pairs } = operands(logits, entities);
  const wanted = device.empty([params.mentions, entities], 'u32', 'pairs of a part');
  device.run({
    kernel: 'expert-choice',
    entry: 'want',
    constants: { ...pairs.constants, EXPERT: part },
    buffers: { u, v: logits.v, wanted },
    params,
    grid: pairs.grid,
    bytes: 4 * wanted.size,
  });
  return wanted;
}

/**
 * Adds to counts u32 [M, 2, B] how often the gate picks each part: of all entities, of those without an image.
 * `hasNoImage` u32 [E].
 */
export function countChoices(logits: PairLogits, hasNoImage: Tensor, counts: Tensor): void {
  const { u, device, params, step } = operands(logits, hasNoImage.size);
  const { constants, grid } = rowShape(device, hasNoImage.size, false);
  device.run({
    kernel: 'expert-choice',
    entry: 'tally',
    constants: { ...constants, STEP: step },
    buffers: { u, v: logits.v, imageless: hasNoImage, counts },
    params,
    grid: grid(params.mentions),
  });
}

function operands({ u, isShared }: PairLogits, entities: number) {
  const [mentions, experts] = u.shape as [number, number];
  const device: Device = u.device;
  const step = isShared ? 0 : 1;
  return {
    u,
    device,
    step,
    params: { mentions, entities, experts, nan: Number.NaN },
    /** Where an invocation owns an entity and 8 mentions. */
    pairs: {
      constants: { LANES: 1, ROWS: 8, STEP: step },
      grid: [Math.ceil(entities / 64), Math.ceil(mentions / 8), 1] as const,
    },
  };
}
