// What a training's steps report, taken in one step late: the device works on a step while the host records the next.

import { ConfigError } from './config/check.ts';
import type { MetricsLog } from './metrics-log.ts';

/** Which step it was, from 1 on, and what belongs into its line of the log. */
export interface StepRecord {
  step: number;
  epoch: number;
  lr?: number;
}

/** A step that is done. */
export interface StepDone {
  step: number;
  examples: number;
  loss: number;
}

export class LossLog {
  readonly #metrics: MetricsLog;
  readonly #onStep: (done: StepDone) => void;
  /** Waits for the loss of the step before and writes it down. */
  #before: (() => Promise<void>) | null = null;

  constructor(metrics: MetricsLog, onStep: (done: StepDone) => void) {
    this.#metrics = metrics;
    this.#onStep = onStep;
  }

  /**
   * A step has been recorded, on `examples` examples. Waits until the step before is done. Throws ConfigError if its loss
   * was not finite, and what its reading throws.
   */
  async add(record: StepRecord, examples: number, loss: Promise<number>): Promise<void> {
    // Awaited later, or never if the step before throws.
    loss.catch(() => {});
    await this.settle();
    this.#before = () => this.#take(record, examples, loss);
  }

  /** Waits for the last step. Throws as `add`. */
  async settle(): Promise<void> {
    const before = this.#before;
    this.#before = null;
    await before?.();
  }

  async #take(record: StepRecord, examples: number, reading: Promise<number>): Promise<void> {
    const loss = await reading;
    checkLoss(record.step, loss);
    const { step, epoch, ...others } = record;
    this.#metrics.add({ step, epoch, loss, ...others });
    this.#onStep({ step, examples, loss });
  }
}

/** Throws ConfigError for a loss that is not finite: the learning rate is too high for these inputs. */
function checkLoss(step: number, loss: number): void {
  if (Number.isFinite(loss)) return;
  const field = 'training.learningRate';
  throw new ConfigError([field], `the loss of step ${step} is ${loss}; try a lower ${field}`);
}
