// Kind `adam`: steps of the optimiser on gradients that are given.

import { Adam } from '../../engine/nn/adam.ts';
import { slice } from '../../engine/ops/shape.ts';
import { hostInput, input, type Kind, readResults } from './kind.ts';

export const adam: Kind = async (context) => {
  const { device, config, parameters } = context;
  const [steps, ...shape] = hostInput(context, 'gradients').shape as [number, ...number[]];
  const weight = parameters.parameter('weight', shape, { value: 0 });
  const optimiser = new Adam([weight], {
    lr: config.number('lr'),
    beta1: config.number('beta1'),
    beta2: config.number('beta2'),
    eps: config.number('eps'),
  });
  const results = device.scope(() => {
    const gradients = input(context, 'gradients'); // [steps, ...shape]
    for (let i = 0; i < steps; i++) optimiser.step(new Map([[weight, slice(gradients, 0, i, 1)]]));
    return readResults({ weight });
  });
  optimiser.release();
  return results;
};
