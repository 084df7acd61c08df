// AdamW's decay, for some of the parameters that one Adam updates (and clips together).

import { noGrad } from '../engine/autograd.ts';
import { scale } from '../engine/ops/elementwise.ts';
import type { Tensor } from '../engine/tensor.ts';

/** Multiplies parameters by `factor`, 1 - learning rate x decay. Call it before the optimiser's step, in the current scope. */
export function decay(parameters: Iterable<Tensor>, factor: number): void {
  // What rounds to 1 changes no number of single precision.
  if (Math.fround(factor) === 1) return;
  noGrad(() => {
    for (const parameter of parameters) parameter.device.copy(scale(parameter, factor), parameter);
  });
}
