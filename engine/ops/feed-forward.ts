// The feed-forward layer of a transformer block as one op: two linear layers with CLIP's QuickGELU or BERT's
// GELU between them and the residual added. The hidden activations are rebuilt in backward instead of kept, and the
// activation's derivative is applied where the gradient of the hidden layer is computed.

import { record, willRecord } from '../autograd.ts';
import { ShapeError } from '../errors.ts';
import { unary } from '../kernels/elementwise.ts';
import { gemm } from '../kernels/gemm.ts';
import { sumRows } from '../kernels/reduce.ts';
import { describe, type Tensor } from '../tensor.ts';
import { checkLinear, checkResidual, linearWeightGradient } from './linear.ts';

/** Weight [out, in] and bias [out] of a linear layer. */
export interface LinearWeights {
  weight: Tensor;
  bias: Tensor;
}

/** fc2(activation(fc1(x))) + residual; x [..., d], residual [..., d] or null for none. f32, frozen weights may be f16. */
export function feedForward(
  x: Tensor,
  fc1: LinearWeights,
  fc2: LinearWeights,
  residual: Tensor | null,
  activation: 'quickGelu' | 'gelu' = 'quickGelu',
): Tensor {
  const { device } = x;
  const { rows, inputs, outputs: hidden } = checkLinear('feedForward fc1', x, fc1.weight, fc1.bias);
  const outputs = fc2.weight.shape[0]!;
  if (fc2.weight.shape[1] !== hidden) {
    throw new ShapeError(
      `feedForward: fc1 (${describe(fc1.weight)}) does not feed fc2 (${describe(fc2.weight)})`,
    );
  }
  checkResidual('feedForward', residual ?? undefined, [...x.shape.slice(0, -1), outputs]);
  const operands = [x, fc1.weight, fc1.bias, fc2.weight, fc2.bias, ...(residual ? [residual] : [])];
  const pre = willRecord(...operands) ? device.empty([rows, hidden], 'f32', 'fc1') : null;
  const y = device.empty([...x.shape.slice(0, -1), outputs], 'f32', 'feedForward');
  device.scope(() => {
    const u = device.empty([rows, hidden], 'f32', activation);
    const first = { bias: fc1.bias, activation, pre };
    gemm({ a: x, b: fc1.weight, c: u, m: rows, n: hidden, k: inputs, transposeB: true, epilogue: first });
    checkLinear('feedForward fc2', u, fc2.weight, fc2.bias);
    const second = { bias: fc2.bias, residual };
    gemm({ a: u, b: fc2.weight, c: y, m: rows, n: outputs, k: hidden, transposeB: true, epilogue: second });
  });
  return record(y, operands, (dy, needs) => {
    const dw2 = needs[3] ? linearWeightGradient(dy, unary(activation, pre!), fc2.weight) : null;
    const db2 = needs[4] ? sumRows(dy, outputs) : null;
    if (!needs[0] && !needs[1] && !needs[2]) return [null, null, null, dw2, db2, ...(residual ? [dy] : [])];
    const dpre = device.empty([rows, hidden], 'f32', 'd fc1');
    const epilogue = { activation: `${activation}Backward`, pre } as const;
    gemm({ a: dy, b: fc2.weight, c: dpre, m: rows, n: hidden, k: outputs, epilogue });
    const dx = needs[0] ? device.empty(x.shape, 'f32', 'd feedForward') : null;
    if (dx) gemm({ a: dpre, b: fc1.weight, c: dx, m: rows, n: inputs, k: hidden });
    const dw1 = needs[1] ? linearWeightGradient(dpre, x, fc1.weight) : null;
    const db1 = needs[2] ? sumRows(dpre, hidden) : null;
    return [dx, dw1, db1, dw2, db2, ...(residual ? [dy] : [])];
  });
}
