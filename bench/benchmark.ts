// What a benchmark of one of our kernels is, and how it is run.

import type { Device } from '../engine/device.ts';
import { normal } from '../engine/kernels/random.ts';
import { Random } from '../engine/random.ts';
import type { Shape, Tensor } from '../engine/tensor.ts';
import { measure, type Timing } from './measure.ts';

export interface Benchmark<Operands = unknown> {
  name: string;
  /** The ceiling that its share is of: arithmetic ('fma') or memory traffic ('copy'). */
  bound: 'fma' | 'copy';
  /** Floating-point operations of one run; 0 where it has none worth counting. */
  flops: number;
  /** Bytes that one run must read and write at the least. */
  bytes: number;
  /** Pairs of mentions and entities that one run scores, where it does. */
  pairs?: number;
  /** Whether this device can run it, and in a reasonable time; every device if left out. */
  runsOn?(device: Device): boolean;
  /** Makes what the runs work on. */
  operands(device: Device): Operands;
  /** Records one run. Results are released by the caller's scope. */
  run(operands: Operands, device: Device): void;
}

/** A benchmark with its operands' type forgotten, for lists of many. */
export function benchmark<Operands>(definition: Benchmark<Operands>): Benchmark {
  return definition as Benchmark;
}

/**
 * Warms up (compiles, lets the tuner settle), calls `whenWarm` and times a benchmark, then releases its
 * operands.
 */
export async function time(
  device: Device,
  { operands, run }: Benchmark,
  whenWarm: () => void,
): Promise<Timing> {
  const made = operands(device);
  const queue = (runs: number) => {
    for (let i = 0; i < runs; i++) {
      // Nothing is returned: a scope would keep it.
      device.scope(() => {
        run(made, device);
      });
    }
  };
  await warmUp(device, () => queue(1));
  whenWarm();
  const timing = await measure(queue, () => device.finish());
  releaseAll(made);
  return timing;
}

/** Runs a job until nothing is left to compile or to tune: variants met for the first time are measured by a read. */
async function warmUp(device: Device, job: () => void): Promise<void> {
  for (let i = 0; i < 2; i++) {
    job();
    await device.scope(() => device.zeros([1]).read());
  }
  job();
  await device.finish();
}

/** A tensor of normal numbers, drawn on the device; the same for the same shape. */
export function random(device: Device, ...shape: number[]): Tensor {
  return normal(device, shape, new Random(shape.reduce((sum, n) => sum * 31 + n, 7)));
}

/** The same as a parameter, so that ops on it are recorded. */
export function parameter(device: Device, ...shape: number[]): Tensor {
  const tensor = random(device, ...shape);
  tensor.requiresGrad = true;
  return tensor;
}

/** i32 numbers from 0 to `below` - 1 that a seed determines. */
export function integers(device: Device, below: number, shape: Shape, seed = 1): Tensor {
  const words = new Random(seed).words(shape.reduce((product, n) => product * n, 1));
  return device.tensor(
    shape,
    Int32Array.from(words, (word) => word % below),
  );
}

/** Records only the backward of the op that made `y`, for the gradient `dy`. */
export function backwardOf(y: Tensor, dy: Tensor): void {
  const node = y.node!;
  node.backward(
    dy,
    node.inputs.map((input) => input.requiresGrad),
  );
}

/** Releases whatever in an object, array or map can be. */
function releaseAll(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if ('release' in value && typeof value.release === 'function') value.release();
  else for (const item of value instanceof Map ? value.values() : Object.values(value)) releaseAll(item);
}
