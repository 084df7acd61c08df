// How long work tells whoever started it what it is doing, and is told to stop. Who listens decides what to show.

import type { Metrics } from '../ranking/metrics.ts';

/** How far a piece of work is. */
export interface Progress {
  /** 'training', 'scoring': what is being done. */
  task: string;
  /** Of `total`, in steps or as a part of 1. */
  done: number;
  total: number;
  /** Of training: the loss of the step, and the examples of it. */
  loss?: number;
  examples?: number;
}

/** Something worth a line. */
export type WorkEvent =
  /** What a step of stage 1 will take of the device's memory; `chunk` 0: the whole batch is encoded at once. */
  | { type: 'memory plan'; bytes: number; chunk: number }
  /** What a step has taken at its peak. */
  | { type: 'memory'; bytes: number }
  /** A training goes on behind a finished epoch. */
  | { type: 'resumed'; epoch: number }
  /** An epoch is finished and saved. */
  | { type: 'epoch'; epoch: number; epochs: number; dev: Metrics; choices?: Readonly<Record<string, number>> }
  /** A training is finished; the best epoch's parameters are in `file`. */
  | { type: 'trained'; epoch: number; mrr: number; file: string };

export interface Hooks {
  /** Stops the work between two steps; what was finished stays and can be resumed. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Called with one line on what is odd with an input that is used all the same. */
  onWarning?: (line: string) => void;
  onEvent?: (event: WorkEvent) => void;
}

/** Hooks of a training. */
export interface TrainingHooks extends Hooks {
  /** Go on from the last epoch that was finished, where there is one. Default: begin again. */
  resume?: boolean;
}
