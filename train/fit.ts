// The training loop, once for all trainings by epochs: steps with a scheduled learning rate, validation after each epoch,
// the best epoch kept, a checkpoint after each that a later call goes on from to the same bits. Knows nothing of models.

import type { Device } from '../engine/device.ts';
import type { Adam } from '../engine/nn/adam.ts';
import { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { WeightsError } from '../files/errors.ts';
import { isThere } from '../files/locate.ts';
import {
  type Origin,
  type Position,
  readWholeAbout,
  restoreCheckpoint,
  saveCheckpoint,
  saveParameters,
  type Training,
} from '../model/checkpoint.ts';
import type { Metrics } from '../ranking/metrics.ts';
import { type ConfigSchema, decidingValues, withoutPlaces } from './config/check.ts';
import type { TrainingHooks } from './hooks.ts';
import { LossLog } from './loss-log.ts';
import { MetricsLog } from './metrics-log.ts';
import { RandomStream } from './random-stream.ts';
import { type Schedule, scheduleFactor } from './schedule.ts';
import { openStaging, type Staging } from './staging.ts';

/** One optimiser step. */
export interface Step {
  /** Mentions of the batch. */
  examples: number;
  /** Computes the loss, updates the parameters at `factor` times their learning rates, returns the loss: `[]`. */
  take(factor: number, random: Random): Tensor;
}

/** What an epoch came to on the validation split, and what else belongs into its line of metrics.jsonl. */
interface Validation {
  dev: Metrics;
  line?: Readonly<Record<string, unknown>>;
  /** Of a gate: percent of pairs by the expert chosen. */
  choices?: Readonly<Record<string, number>>;
}

export interface Fit extends Origin {
  device: Device;
  /** Where best.safetensors, last.safetensors and metrics.jsonl go. */
  folder: string;
  schema: ConfigSchema;
  epochs: number;
  stepsPerEpoch: number;
  /** Steps of all epochs, where the last has fewer. Default epochs x stepsPerEpoch. */
  totalSteps?: number;
  /** Steps that come before those of the first epoch and are taken with it, on a schedule of their own. Default 0. */
  stepsBefore?: number;
  schedule: Schedule;
  /** Steps in which the learning rate rises to its height. Default 0. */
  warmupSteps?: number;
  /** What a falling schedule ends at, as a part of the learning rate. Default 0. */
  finalRate?: number;
  /** The learning rate of the log. */
  learningRate: number;
  parameters: ReadonlyMap<string, Tensor>;
  /** Tensors that the files keep beside the parameters. */
  constants?: Training['constants'];
  adams: Readonly<Record<string, Adam>>;
  /** The generator that initialised the parameters; the training draws on from it. */
  random: Random;
  /** What is done before the first step, told whether the training was resumed. */
  begin(isResumed: boolean): Promise<void>;
  /** The steps of an epoch, counted from 1, with all that they draw on the host. */
  steps(draws: RandomStream, epoch: number): Iterable<Step> | AsyncIterable<Step>;
  validate(): Promise<Validation>;
  /** Ends the training after so many epochs without a better one; 0: never. Default 0. */
  patience?: number;
  /** Which epoch the result is: the best by validation MRR, or the last however it does. Default 'best'. */
  keep?: 'best' | 'last';
}

/** The epoch of a finished training that was kept. */
export interface FitResult {
  epoch: number;
  /** Validation MRR, in percent. */
  mrr: number;
  /** Its parameters. */
  file: string;
}

/**
 * Trains. A failure or an abort leaves what was in the folder before as it was; epochs that were finished until then can
 * be resumed. Throws ConfigError for a loss that is not finite, WeightsError for a checkpoint that cannot be resumed or
 * written, the signal's reason once it is aborted.
 */
export async function fit(plan: Fit, hooks: TrainingHooks): Promise<FitResult> {
  const staging = await openStaging(plan.folder, hooks.resume === true);
  let best: Position;
  try {
    best = await train(plan, staging, hooks);
    if (best.bestEpoch > 0) await checkBest(staging.bestSoFar(), [best.bestEpoch]);
  } catch (error) {
    await staging.abandon();
    throw error;
  }
  await staging.finish();
  const result = { epoch: best.bestEpoch, mrr: best.bestMrr, file: `${plan.folder}/best.safetensors` };
  hooks.onEvent?.({ type: 'trained', ...result });
  return result;
}

async function train(plan: Fit, staging: Staging, hooks: TrainingHooks): Promise<Position> {
  const { device, epochs, stepsPerEpoch, stepsBefore = 0, config, madeFrom, parameters, adams } = plan;
  const training: Training = {
    config: withoutPlaces(plan.schema, config),
    madeFrom,
    parameters,
    ...(plan.constants ? { constants: plan.constants } : {}),
    adams,
    decidingValues: (of) => decidingValues(plan.schema, of),
  };
  let position: Position = { epoch: 0, step: 0, bestEpoch: 0, bestMrr: -1 };
  let { random } = plan;
  if (staging.resumeFrom) {
    const restored = await restoreCheckpoint(staging.resumeFrom, training);
    position = restored.position;
    random = Random.restore(restored.random);
    // A kill between the two files of an epoch leaves the parameters of one that is done again.
    const { epoch, bestEpoch } = position;
    if (bestEpoch > 0) await checkBest(staging.bestSoFar(), [bestEpoch, epoch + 1]);
    hooks.onEvent?.({ type: 'resumed', epoch });
    if (position.epoch >= epochs || isStuck(plan, position)) return position;
  }
  await plan.begin(staging.resumeFrom !== null);
  const total = stepsBefore + (plan.totalSteps ?? epochs * stepsPerEpoch);
  const factorAt = (step: number) =>
    step < stepsBefore
      ? scheduleFactor(plan.schedule, step, stepsBefore)
      : scheduleFactor(
          plan.schedule,
          step - stepsBefore,
          total - stepsBefore,
          plan.warmupSteps,
          plan.finalRate,
        );
  const begun = position.step;
  const metrics = await MetricsLog.open(staging.log, begun);
  const losses = new LossLog(metrics, ({ step, examples, loss }) =>
    hooks.onProgress?.({ task: 'training', done: step - begun, total: total - begun, loss, examples }),
  );

  const firstEpoch = position.epoch + 1;
  device.resetPeak();
  for (let epoch = firstEpoch; epoch <= epochs && !isStuck(plan, position); epoch++) {
    let { step } = position;
    for await (const { examples, take } of plan.steps(new RandomStream(random.words(1)[0]!), epoch)) {
      hooks.signal?.throwIfAborted();
      const factor = factorAt(step);
      const loss = device.scope(() => take(factor, random).item());
      await losses.add({ step: ++step, epoch, lr: plan.learningRate * factor }, examples, loss);
    }
    await losses.settle();
    if (epoch === firstEpoch) hooks.onEvent?.({ type: 'memory', bytes: device.counters.peakBytes });
    const { dev, line, choices } = await plan.validate();
    metrics.add({ step, epoch, dev, ...line });
    position = { ...position, epoch, step };
    if (plan.keep === 'last' || dev.mrr > position.bestMrr) {
      position = { ...position, bestEpoch: epoch, bestMrr: dev.mrr };
      await saveParameters(staging.best, training, { epoch, dev });
    }
    metrics.sync();
    await saveCheckpoint(staging.last, training, position, random);
    hooks.onEvent?.({ type: 'epoch', epoch, epochs, dev, ...(choices ? { choices } : {}) });
  }
  return position;
}

/** Throws WeightsError where the parameters of the best epoch are not there, damaged or of none of these epochs. */
async function checkBest(file: string, epochs: readonly number[]): Promise<void> {
  const found = (await isThere(file)) ? (await readWholeAbout(file)).about['epoch'] : 'no such file';
  if (epochs.some((epoch) => epoch === found)) return;
  throw new WeightsError({
    file,
    expected: `the parameters of epoch ${epochs[0]}`,
    found: `${found}; train again from the beginning`,
  });
}

/** Whether there was no better epoch for as long as the plan waits. */
function isStuck({ patience = 0 }: Pick<Fit, 'patience'>, { epoch, bestEpoch }: Position): boolean {
  return patience > 0 && epoch - bestEpoch >= patience;
}
