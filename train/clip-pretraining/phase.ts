// One phase of the pretraining: steps of AdamW with checkpoints, which a later call goes on from. Knows nothing of what is
// trained.

import { join } from 'node:path';
import { backward } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Metrics } from '../../ranking/metrics.ts';
import type { ConfigSchema } from '../config/check.ts';
import { fit } from '../fit.ts';
import type { Progress, TrainingHooks } from '../hooks.ts';
import type { Schedule } from '../schedule.ts';
import { decay } from '../weight-decay.ts';

/** What a phase's optimiser is told. */
interface PhaseSettings {
  steps: number;
  warmupSteps: number;
  learningRate: number;
  weightDecay: number;
  /** 0: any norm. */
  clipNorm: number;
}

/** A batch, made on the host, and what makes its loss of it; call it in a scope. */
export interface PhaseStep {
  examples: number;
  loss: () => Tensor;
}

export interface Phase {
  /** Its folder, and what its progress is called. */
  name: string;
  settings: PhaseSettings;
  schedule: Schedule;
  adam: { beta2: number; eps: number };
  parameters: ReadonlyMap<string, Tensor>;
  /** The fields that decide its result, and all fields. */
  schema: ConfigSchema;
  config: object;
  /** Hashes of what it is made from. */
  madeFrom: Readonly<Record<string, string>>;
  /** Its batches from the first on; the same ones at every call. */
  batches(): Iterator<PhaseStep, never>;
  /** How good it is, on dev. */
  validate(): Promise<Metrics>;
}

/** Where phases are trained. */
export interface Workplace {
  device: Device;
  /** Each phase has a folder in it. */
  folder: string;
  seed: number;
  /** Steps between two checkpoints. */
  checkpointSteps: number;
  hooks: TrainingHooks;
}

/**
 * Trains the phase's parameters to its last step, on from its last checkpoint where the hooks say `resume`. Throws as `fit`
 * does.
 */
export async function trainPhase(
  { device, folder, seed, checkpointSteps, hooks }: Workplace,
  phase: Phase,
): Promise<void> {
  const { name, settings, schema, config, madeFrom, parameters } = phase;
  const { steps, warmupSteps, learningRate, weightDecay, clipNorm } = settings;
  if (steps === 0) return;
  const stepsPerEpoch = Math.min(checkpointSteps, steps);
  const { beta2, eps } = phase.adam;
  const adam = new Adam([...parameters.values()], { lr: learningRate, beta2, eps });
  const decayed = [...parameters].filter(([of, tensor]) => isDecayed(of, tensor)).map(([, of]) => of);
  const take = (factor: number, { loss }: PhaseStep): Tensor => {
    const lr = factor * learningRate;
    const value = loss();
    const gradients = backward(value);
    decay(decayed, 1 - lr * weightDecay);
    adam.step(gradients, { lr, ...(clipNorm > 0 ? { clipNorm } : {}) });
    return value;
  };
  const onProgress = (progress: Progress) => hooks.onProgress?.({ ...progress, task: name });
  try {
    await fit(
      {
        device,
        folder: join(folder, name),
        schema,
        config,
        madeFrom,
        epochs: Math.ceil(steps / stepsPerEpoch),
        stepsPerEpoch,
        totalSteps: steps,
        schedule: phase.schedule,
        warmupSteps,
        learningRate,
        parameters,
        adams: { adam },
        random: new Random(seed),
        keep: 'last',
        async begin() {},
        *steps(_, epoch) {
          const first = (epoch - 1) * stepsPerEpoch;
          const batches = phase.batches();
          for (let step = 0; step < first; step++) batches.next();
          for (let step = first; step < Math.min(first + stepsPerEpoch, steps); step++) {
            const batch = batches.next().value;
            yield { examples: batch.examples, take: (factor) => take(factor, batch) };
          }
        },
        async validate() {
          return { dev: await phase.validate() };
        },
      },
      { ...hooks, onProgress },
    );
  } finally {
    adam.release();
  }
}

/** Decay is for matrices, not for tables, norms, biases and scales. */
function isDecayed(name: string, { rank }: Tensor): boolean {
  return rank >= 2 && !name.includes('embedding');
}
