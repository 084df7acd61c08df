// A linear layer: x W^T + b on the last dimension, with a residual added in the same kernel.

import { record } from '../autograd.ts';
import { DtypeError, ShapeError } from '../errors.ts';
import { gemm } from '../kernels/gemm.ts';
import { sumRows } from '../kernels/reduce.ts';
import { checkOperands, describe, type Tensor } from '../tensor.ts';

export interface LinearOptions {
  /** Added to the result, [..., out]. */
  residual?: Tensor;
}

/**
 * x [..., in] times weight [out, in] transposed, plus bias [out]: [..., out], f32. A frozen weight may be
 * stored in f16. Throws ShapeError or DtypeError naming the operands.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  { residual }: LinearOptions = {},
): Tensor {
  const { rows, inputs, outputs } = checkLinear('linear', x, weight, bias);
  const shape = [...x.shape.slice(0, -1), outputs];
  checkResidual('linear', residual, shape);
  const y = x.device.empty(shape, 'f32', 'linear');
  const epilogue = { bias, residual: residual ?? null };
  gemm({ a: x, b: weight, c: y, m: rows, n: outputs, k: inputs, transposeB: true, epilogue });
  const operands = [x, weight, ...(bias ? [bias] : []), ...(residual ? [residual] : [])];
  return record(y, operands, (dy, needs) => [
    needs[0] ? linearInputGradient(dy, weight, x) : null,
    needs[1] ? linearWeightGradient(dy, x, weight) : null,
    ...(bias ? [needs[2] ? sumRows(dy, outputs) : null] : []),
    ...(residual ? [dy] : []),
  ]);
}

/** Checks a linear layer's operands; returns its sizes. */
export function checkLinear(op: string, x: Tensor, weight: Tensor, bias: Tensor | null) {
  checkOperands(op, { x, ...(bias ? { bias } : {}) });
  checkOperands(op, { weight }, weight.dtype === 'f16' ? 'f16' : 'f32');
  if (weight.dtype === 'f16' && weight.requiresGrad) {
    throw new DtypeError(`${op}: weight (${describe(weight)}) is trained, so it must be f32`);
  }
  const inputs = x.shape.at(-1);
  const [outputs, columns] = weight.shape;
  if (weight.rank !== 2 || inputs === undefined || columns !== inputs) {
    throw new ShapeError(
      `${op}: x (${describe(x)}) does not fit weight (${describe(weight)}), which is [out, in]`,
    );
  }
  if (bias && (bias.rank !== 1 || bias.size !== outputs)) {
    throw new ShapeError(`${op}: bias (${describe(bias)}) does not fit weight (${describe(weight)})`);
  }
  return { rows: x.size / inputs, inputs, outputs: outputs! };
}

/** Throws ShapeError unless the residual, if any, has the result's shape. */
export function checkResidual(op: string, residual: Tensor | undefined, shape: readonly number[]): void {
  if (!residual) return;
  checkOperands(op, { residual });
  if (`${residual.shape}` !== `${shape}`)
    throw new ShapeError(`${op}: residual (${describe(residual)}) must be [${shape}]`);
}

/** dx = dy W, in x's shape. */
function linearInputGradient(dy: Tensor, weight: Tensor, x: Tensor): Tensor {
  const [outputs, inputs] = weight.shape as [number, number];
  const dx = x.device.empty(x.shape, 'f32', 'd linear');
  gemm({ a: dy, b: weight, c: dx, m: x.size / inputs, n: inputs, k: outputs });
  return dx;
}

/** dW = dy^T x. */
export function linearWeightGradient(dy: Tensor, x: Tensor, weight: Tensor): Tensor {
  const [outputs, inputs] = weight.shape as [number, number];
  const dw = x.device.empty(weight.shape, 'f32', `d ${weight.name}`);
  gemm({ a: dy, b: x, c: dw, m: outputs, n: inputs, k: x.size / inputs, transposeA: true });
  return dw;
}
