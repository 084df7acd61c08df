// What a mention's entities are ranked by: a weighted sum of the experts' scores (one expert alone, their mean), or for
// each pair the score of the expert that the gate picks.

import type { Device } from '../engine/device.ts';
import { rowShape } from '../engine/kernels/rows.ts';
import { add, scale } from '../engine/ops/elementwise.ts';
import type { Tensor } from '../engine/tensor.ts';

export type System =
  | {
      name: string;
      /** By expert; 0: not needed. */
      weights: readonly number[];
    }
  | {
      name: string;
      /** Scales and then offsets of all experts. */
      calibration: Float32Array<ArrayBuffer>;
    };

/** Shares of the gate of a block of pairs, on the device. */
export interface BlockShares {
  /** [M, B] */
  u: Tensor;
  /** [E, B], or [1, B] for all entities. */
  v: Tensor;
  isShared: boolean;
}

export function isGated(system: System): system is Extract<System, { calibration: unknown }> {
  return 'calibration' in system;
}

/** One expert of a list alone. */
export function expertAlone(name: string, expert: number, experts: number): System {
  return { name, weights: Array.from({ length: experts }, (_, i) => (i === expert ? 1 : 0)) };
}

/** The plain mean of the experts for which `takesPart` says so. */
export function meanOf(name: string, takesPart: readonly boolean[]): System {
  const count = takesPart.filter((part) => part).length;
  return { name, weights: takesPart.map((part) => (part ? 1 / count : 0)) };
}

/** A system's scores [M, E] from the experts' (null for those that no pair of the block needs). */
export function systemScores(
  system: System,
  scores: readonly (Tensor | null)[],
  shares: BlockShares | null,
): Tensor {
  if (isGated(system)) return chosenScores(system.calibration, scores, shares!);
  const weighted = system.weights.flatMap((weight, i) =>
    weight === 0 ? [] : [{ weight, score: scores[i]! }],
  );
  const [first] = weighted;
  const isEqual = weighted.every(({ weight }) => weight === first!.weight);
  if (isEqual) {
    const sum = weighted.map(({ score }) => score).reduce(add);
    return first!.weight === 1 ? sum : scale(sum, first!.weight);
  }
  return weighted.map(({ weight, score }) => scale(score, weight)).reduce(add);
}

/** u32 [M, E], 1 on the pairs for which the gate picks the expert of that number. */
export function wantedPairs(shares: BlockShares, entities: number, expert: number): Tensor {
  const { u, device, params, pairs } = operands(shares, entities);
  const wanted = device.empty([params.mentions, entities], 'u32', 'pairs of an expert');
  device.run({
    kernel: 'expert-choice',
    entry: 'select_mask',
    constants: { ...pairs.constants, EXPERT: expert },
    buffers: { u, v: shares.v, pair_mask: wanted },
    params,
    grid: pairs.grid,
    bytes: 4 * wanted.size,
  });
  return wanted;
}

/** Adds to counts u32 [M, 2, B] how often the gate picks each expert: of all entities, of those without an image. */
export function tallyChoices(shares: BlockShares, imageless: Tensor, counts: Tensor): void {
  const { u, device, params, gate } = operands(shares, imageless.size);
  const { constants, grid } = rowShape(device, imageless.size, false);
  device.run({
    kernel: 'expert-choice',
    entry: 'count_choices',
    constants: { ...constants, ...gate },
    buffers: { u, v: shares.v, has_no_image: imageless, counts },
    params,
    grid: grid(params.mentions),
  });
}

function chosenScores(
  calibration: Float32Array<ArrayBuffer>,
  scores: readonly (Tensor | null)[],
  shares: BlockShares,
): Tensor {
  const any = scores.find((score) => score !== null)!;
  const [M, E] = any.shape as [number, number];
  const { u, device, params, pairs } = operands(shares, E);
  const y = device.empty([M, E], 'f32', 'scores of the chosen experts');
  const stacked = device.empty([scores.length, M, E], 'f32', 'scores of all experts');
  scores.forEach((score, i) => {
    if (score) device.copy(score, stacked, M * E, 0, i * M * E);
  });
  device.run({
    kernel: 'expert-choice',
    entry: 'select_scores',
    constants: pairs.constants,
    buffers: {
      u,
      v: shares.v,
      scores: stacked,
      calibration: device.tensor([calibration.length], calibration),
      y,
    },
    params,
    grid: pairs.grid,
    bytes: 8 * M * E,
  });
  return y;
}

function operands({ u, isShared }: BlockShares, entities: number) {
  const [mentions, experts] = u.shape as [number, number];
  const device: Device = u.device;
  const gate = { EXPERTS: experts, STEP: isShared ? 0 : 1 };
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
