// The layers that networks are built of, each with its own weights: made once, then called on tensors. Knows nothing of
// names; parameter-source.ts declares them.

import type { LinearWeights } from '../engine/ops/feed-forward.ts';
import { layerNorm } from '../engine/ops/layer-norm.ts';
import { type LinearOptions, linear } from '../engine/ops/linear.ts';
import type { Tensor } from '../engine/tensor.ts';

/** x W^T + b: x [..., inputs] -> [..., outputs]; weight [outputs, inputs], bias [outputs]. */
export interface Linear extends LinearWeights {
  (x: Tensor, options?: LinearOptions): Tensor;
}

/** x W^T: x [..., inputs] -> [..., outputs]; weight [outputs, inputs]. */
export interface Projection {
  (x: Tensor): Tensor;
  weight: Tensor;
}

/** LayerNorm over the last dimension; weight and bias [width]. */
export interface Norm {
  (x: Tensor): Tensor;
  weight: Tensor;
  bias: Tensor;
}

export function linearLayer(weight: Tensor, bias: Tensor): Linear {
  const apply = (x: Tensor, options: LinearOptions = {}) => linear(x, weight, bias, options);
  return Object.assign(apply, { weight, bias });
}

export function projectionLayer(weight: Tensor): Projection {
  return Object.assign((x: Tensor) => linear(x, weight, null), { weight });
}

export function normLayer(weight: Tensor, bias: Tensor, eps: number): Norm {
  return Object.assign((x: Tensor) => layerNorm(x, weight, bias, eps), { weight, bias });
}
