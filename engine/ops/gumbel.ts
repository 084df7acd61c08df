// Choosing one of B by Gumbel-softmax: the noise, and the choice with its straight-through gradient.

import { record } from '../autograd.ts';
import { type Device, linearGrid } from '../device.ts';
import { EngineError, ShapeError } from '../errors.ts';
import { draw } from '../kernels/random.ts';
import type { Random } from '../random.ts';
import { checkOperands, describe, type Shape, type Tensor } from '../tensor.ts';

const mostChoices = 16;

/** Gumbel(0, 1) noise, -log(-log u): always finite, between -2.9 and 16.7. f32. */
export function gumbelNoise(device: Device, shape: Shape, random: Random): Tensor {
  return draw(device, shape, random, 'gumbel');
}

/**
 * z = one-hot(argmax l) over the last axis with l = log(pi + eps) + noise, the first of equals; its gradient
 * is that of softmax(l / tau) (Jang, Gu and Poole 2017; Bengio, Leonard and Courville 2013).
 * pi, and noise unless it is null: [..., B] f32, B at most 16, pi >= 0; z: the same shape. Noise is taken as
 * constant. Throws ShapeError when the shapes differ, EngineError for tau <= 0 or eps < 0.
 */
export function straightThrough(pi: Tensor, noise: Tensor | null, tau: number, eps: number): Tensor {
  checkOperands('straightThrough', noise ? { pi, noise } : { pi });
  checkShapes(pi, noise);
  if (!(tau > 0 && tau < Infinity)) throw new EngineError(`straightThrough: tau ${tau} must be above 0`);
  if (!(eps >= 0 && eps < Infinity)) throw new EngineError(`straightThrough: eps ${eps} must be at least 0`);
  const { device } = pi;
  const experts = pi.shape.at(-1)!;
  const rows = pi.size / experts;
  const shared = {
    kernel: 'straight-through' as const,
    constants: { EXPERTS: experts, NOISY: noise !== null },
    params: { rows, inverse_tau: 1 / tau, eps },
    grid: linearGrid(Math.ceil(rows / 64)),
    flops: 8 * pi.size,
  };
  const read = { pi, noise: noise ?? device.dummy() };
  const z = device.empty(pi.shape, 'f32', 'straightThrough');
  device.run({ ...shared, entry: 'forward', buffers: { ...read, z }, bytes: 12 * pi.size });
  return record(z, [pi], (dz) => {
    const dpi = device.empty(pi.shape, 'f32', 'd straightThrough');
    device.run({ ...shared, entry: 'backward', buffers: { ...read, dz, dpi }, bytes: 16 * pi.size });
    return [dpi];
  });
}

function checkShapes(pi: Tensor, noise: Tensor | null): void {
  const choices = pi.shape.at(-1);
  if (choices === undefined || choices > mostChoices) {
    throw new ShapeError(
      `straightThrough: pi (${describe(pi)}) must have 1 to ${mostChoices} elements on its last axis`,
    );
  }
  if (noise && `${noise.shape}` !== `${pi.shape}`) {
    throw new ShapeError(
      `straightThrough: noise (${describe(noise)}) must have the shape of pi (${describe(pi)})`,
    );
  }
}
