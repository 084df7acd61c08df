// Elementwise ops of one and of two operands. f32 in, f32 out.

import { record } from '../autograd.ts';
import { binary, scaled, type UnaryOp, unary, unaryBackward } from '../kernels/elementwise.ts';
import { sumTo } from '../kernels/reduce.ts';
import type { Tensor } from '../tensor.ts';

/** alpha x + beta. */
export const affine = (x: Tensor, alpha: number, beta: number): Tensor => map('affine', x, alpha, beta);
/** alpha x. */
export const scale = (x: Tensor, alpha: number): Tensor => map('affine', x, alpha);
export const exp = (x: Tensor): Tensor => map('exp', x);
/** Natural logarithm. */
export const log = (x: Tensor): Tensor => map('log', x);
export const sqrt = (x: Tensor): Tensor => map('sqrt', x);
export const tanh = (x: Tensor): Tensor => map('tanh', x);
export const sigmoid = (x: Tensor): Tensor => map('sigmoid', x);
/** x sigmoid(1.702 x), CLIP's activation. */
export const quickGelu = (x: Tensor): Tensor => map('quickGelu', x);
/** x Phi(x) with the normal distribution's Phi: BERT's GELU, exact and not the tanh form. */
export const gelu = (x: Tensor): Tensor => map('gelu', x);
/** max(x, 0); the gradient at 0 is 0, as in PyTorch. */
export const relu = (x: Tensor): Tensor => map('leakyRelu', x, 0);
/** x where x > 0, slope x elsewhere. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => map('leakyRelu', x, slope);

/** a + b with NumPy's broadcasting. */
export function add(a: Tensor, b: Tensor): Tensor {
  return record(binary('add', a, b), [a, b], (dy) => [sumTo(dy, a.shape), sumTo(dy, b.shape)]);
}

/** a - b with NumPy's broadcasting. */
export function sub(a: Tensor, b: Tensor): Tensor {
  return record(binary('sub', a, b), [a, b], (dy, needs) => [
    sumTo(dy, a.shape),
    needs[1] ? sumTo(scaled(dy, -1), b.shape) : null,
  ]);
}

/** a b with NumPy's broadcasting. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return record(binary('mul', a, b), [a, b], (dy, needs) => [
    needs[0] ? sumTo(binary('mul', dy, b), a.shape) : null,
    needs[1] ? sumTo(binary('mul', dy, a), b.shape) : null,
  ]);
}

/** a / b with NumPy's broadcasting. */
export function div(a: Tensor, b: Tensor): Tensor {
  const y = binary('div', a, b);
  return record(y, [a, b], (dy, needs) => {
    const da = binary('div', dy, b);
    return [sumTo(da, a.shape), needs[1] ? sumTo(scaled(binary('mul', da, y), -1), b.shape) : null];
  });
}

function map(op: UnaryOp, x: Tensor, alpha = 1, beta = 0): Tensor {
  return record(unary(op, x, alpha, beta), [x], (dy) => [unaryBackward(op, x, dy, alpha, beta)]);
}
