// Elementwise ops of one and of two operands. f32 in, f32 out.

import { record } from '../autograd.ts';
import { linearGrid } from '../device.ts';
import { LimitError } from '../errors.ts';
import { checkOperands, type Tensor } from '../tensor.ts';
import { broadcastShape, collapse } from './broadcast.ts';
import { perGroup } from './grid.ts';
import { rowParts } from './parts.ts';
import { sumTo } from './reduce.ts';

const unaryCodes = {
  affine: 0,
  exp: 1,
  log: 2,
  tanh: 3,
  sigmoid: 4,
  quickGelu: 5,
  leakyRelu: 6,
  sqrt: 7,
} as const;
const binaryCodes = { add: 0, sub: 1, mul: 2, div: 3 } as const;

/** alpha x + beta. */
export const affine = (x: Tensor, alpha: number, beta: number): Tensor => unary('affine', x, alpha, beta);
/** alpha x. */
export const scale = (x: Tensor, alpha: number): Tensor => unary('affine', x, alpha);
export const exp = (x: Tensor): Tensor => unary('exp', x);
/** Natural logarithm. */
export const log = (x: Tensor): Tensor => unary('log', x);
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x);
export const tanh = (x: Tensor): Tensor => unary('tanh', x);
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x);
/** x sigmoid(1.702 x), CLIP's activation. */
export const quickGelu = (x: Tensor): Tensor => unary('quickGelu', x);
/** max(x, 0); the gradient at 0 is 0, as in PyTorch. */
export const relu = (x: Tensor): Tensor => unary('leakyRelu', x, 0);
/** x where x > 0, slope x elsewhere. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor => unary('leakyRelu', x, slope);

/** a + b with NumPy's broadcasting. */
export function add(a: Tensor, b: Tensor): Tensor {
  return record(binary('add', a, b), [a, b], (dy) => [sumTo(dy, a.shape), sumTo(dy, b.shape)]);
}

/** a - b with NumPy's broadcasting. */
export function sub(a: Tensor, b: Tensor): Tensor {
  return record(binary('sub', a, b), [a, b], (dy, needs) => [
    sumTo(dy, a.shape),
    needs[1] ? sumTo(scale(dy, -1), b.shape) : null,
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
    return [sumTo(da, a.shape), needs[1] ? sumTo(scale(binary('mul', da, y), -1), b.shape) : null];
  });
}

function unary(op: keyof typeof unaryCodes, x: Tensor, alpha = 1, beta = 0): Tensor {
  checkOperands(op, { x });
  const constants = { OP: unaryCodes[op] };
  const y = x.device.empty(x.shape, 'f32', op);
  inParts(x, (first, n) => ({
    kernel: 'elementwise-unary',
    entry: 'forward',
    constants,
    buffers: { x: x.range(first, n), y: y.range(first, n) },
    params: { n, alpha, beta },
    grid: linearGrid(Math.ceil(n / perGroup)),
    flops: n,
    bytes: 8 * n,
  }));
  return record(y, [x], (dy) => {
    const dx = x.device.empty(x.shape, 'f32', `d ${op}`);
    inParts(x, (first, n) => ({
      kernel: 'elementwise-unary',
      entry: 'backward',
      constants,
      buffers: { x: x.range(first, n), dy: dy.range(first, n), dx: dx.range(first, n) },
      params: { n, alpha, beta },
      grid: linearGrid(Math.ceil(n / perGroup)),
      flops: n,
      bytes: 12 * n,
    }));
    return [dx];
  });
}

/** Dispatches over parts that each fit into a binding, for tensors larger than one. */
function inParts(
  x: Tensor,
  dispatch: (first: number, count: number) => Parameters<Tensor['device']['run']>[0],
): void {
  for (const { first, count } of rowParts(x.device, x.size, [4])) x.device.run(dispatch(first, count));
}

function binary(op: keyof typeof binaryCodes, a: Tensor, b: Tensor): Tensor {
  checkOperands(op, { a, b });
  const shape = broadcastShape(op, a, b);
  const y = a.device.empty(shape, 'f32', op);
  const dense = a.size === y.size && b.size === y.size;
  if (!dense && y.bytes > a.device.maxBindingBytes) {
    throw new LimitError(
      `${op}: a broadcast result of ${y.bytes} bytes is over the ${a.device.maxBindingBytes} that can be bound`,
    );
  }
  const { sizes, strides } = collapse(shape, [a.shape, b.shape]);
  const [sa, sb] = [strides[0]!, strides[1]!];
  inParts(y, (first, n) => ({
    kernel: 'elementwise-binary',
    entry: 'forward',
    constants: { OP: binaryCodes[op], DENSE: dense },
    buffers: {
      a: dense ? a.range(first, n) : a,
      b: dense ? b.range(first, n) : b,
      y: y.range(first, n),
    },
    params: {
      n,
      size_1: sizes[1]!,
      size_2: sizes[2]!,
      size_3: sizes[3]!,
      a_0: sa[0]!,
      a_1: sa[1]!,
      a_2: sa[2]!,
      a_3: sa[3]!,
      b_0: sb[0]!,
      b_1: sb[1]!,
      b_2: sb[2]!,
      b_3: sb[3]!,
    },
    grid: linearGrid(Math.ceil(n / perGroup)),
    flops: n,
    bytes: 4 * (a.size + b.size + y.size),
  }));
  return y;
}
