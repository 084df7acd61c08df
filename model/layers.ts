// The two layers that scoring units and gate are built of, by name.

import { layerNorm } from '../engine/ops/layer-norm.ts';
import { linear as linearOp } from '../engine/ops/linear.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { ParameterStore } from './parameter-store.ts';

/** x W^T + b with the parameters NAME.weight [outputs, inputs] and NAME.bias: x [..., inputs] -> [..., outputs]. */
export function linear(p: ParameterStore, name: string, x: Tensor, outputs: number): Tensor {
  const inputs = x.shape.at(-1)!;
  return linearOp(x, p.get(`${name}.weight`, [outputs, inputs]), p.get(`${name}.bias`, [outputs]));
}

/** LayerNorm over the last dimension with the parameters NAME.weight and NAME.bias. */
export function norm(p: ParameterStore, name: string, x: Tensor): Tensor {
  const width = x.shape.at(-1)!;
  return layerNorm(x, p.get(`${name}.weight`, [width]), p.get(`${name}.bias`, [width]));
}
