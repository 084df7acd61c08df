// What a training's steps report, taken in one step late: the device works on a step while the host records the next.

import { UsageError } from '../files/errors.ts';
import type { MetricsLog } from './metrics-log.ts';
import type { Progress } from './progress.ts';

/** Which step it was, from 1 on, and what belongs into its line of the log. */
export interface StepRecord {
  step: number;
  epoch: number;
  lr?: number;
}

export class LossLog {
  readonly #metrics: MetricsLog;
  readonly #progress: Progress;
  #done = 0;
  /** Waits for the loss of the step before and writes it down. */
  #before: (() => Promise<void>) | null = null;

  constructor(metrics: MetricsLog, progress: Progress) {
    this.#metrics = metrics;
    this.#progress = progress;
  }

  /**
   * A step has been recorded, on `examples` examples. Waits until the step before is done. Throws UsageError if its loss
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
    if (!Number.isFinite(loss))
      throw new UsageError(`the loss of step ${record.step} is ${loss}; try a lower --lr`);
    const { step, epoch, ...others } = record;
    this.#metrics.add({ step, epoch, loss, ...others });
    this.#progress.step(++this.#done, examples, { loss });
  }
}
