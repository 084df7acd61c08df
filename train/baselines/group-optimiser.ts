// AdamW over the groups of a system's parameters, each at its own learning rate, as its training is told.

import type { Gradients } from '../../engine/autograd.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { type ParameterGroups, trainedTensors } from '../../model/baselines/baseline.ts';
import type { BaselineTraining } from '../config/schemas.ts';
import { decay } from '../weight-decay.ts';

export interface GroupOptimiser {
  adam: Adam;
  /** One step at `factor` times the learning rates, in the current scope. */
  step(factor: number, gradients: Gradients): void;
}

/** One optimiser for all groups, so that the norm that is clipped is that of all gradients. */
export function groupOptimiser(
  system: { groups: ParameterGroups },
  { learningRate, weightDecay, clipNorm, eps }: BaselineTraining['training'],
): GroupOptimiser {
  const { decayed, rates } = system.groups;
  const adam = new Adam([...trainedTensors(system).values()], {
    lr: learningRate,
    eps,
    ...(rates ? { rates } : {}),
  });
  return {
    adam,
    step(factor, gradients) {
      const lr = factor * learningRate;
      for (const parameter of decayed.values()) {
        decay([parameter], 1 - lr * (rates?.get(parameter) ?? 1) * weightDecay);
      }
      adam.step(gradients, { lr, ...(clipNorm > 0 ? { clipNorm } : {}) });
    },
  };
}
