// Fresh parameters: each is drawn as it is declared, so that the order of declarations is the order of the draws.

import type { Device } from '../engine/device.ts';
import { normal, uniform } from '../engine/kernels/random.ts';
import { affine } from '../engine/ops/elementwise.ts';
import type { Random } from '../engine/random.ts';
import type { Shape, Tensor } from '../engine/tensor.ts';
import {
  type Built,
  build,
  type ParameterSource,
  type ParameterSpec,
  type Start,
} from './parameter-source.ts';

/**
 * Builds a module on the device, all of it trainable; the same generator state gives the same numbers. `random` is null for
 * parameters that are about to be loaded: nothing is drawn then, and what they hold until then is undefined. `startOf` is for
 * who wants another beginning than the one declared.
 */
export function initialise<Module>(
  device: Device,
  random: Random | null,
  construct: (p: ParameterSource) => Module,
  startOf: (name: string, spec: ParameterSpec) => Start = (_, { start }) => start,
): Built<Module> {
  return build((name, spec) => {
    const tensor = random
      ? device.scope(() => begin(device, spec.shape, startOf(name, spec), random))
      : device.empty(spec.shape, 'f32', name);
    tensor.name = name;
    tensor.requiresGrad = true;
    return tensor;
  }, construct);
}

function begin(device: Device, shape: Shape, start: Start, random: Random): Tensor {
  if ('value' in start) return affine(device.zeros(shape), 1, start.value);
  if ('diagonal' in start) return diagonal(device, shape, start.diagonal);
  if ('deviation' in start) return normal(device, shape, random, start.deviation);
  return affine(uniform(device, shape, random), 2 * start.bound, -start.bound);
}

function diagonal(device: Device, shape: Shape, value: number): Tensor {
  const [rows, columns] = shape as [number, number];
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) values[i * (columns + 1)] = value;
  return device.tensor(shape, values);
}
