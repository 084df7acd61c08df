// Elementwise arithmetic on the device: one and two operands, and sums in place. f32 in, f32 out.

import { type Device, linearGrid } from '../device.ts';
import { LimitError } from '../errors.ts';
import { checkOperands, type Tensor } from '../tensor.ts';
import { broadcastShape, collapse } from './broadcast.ts';
import { perGroup } from './grid.ts';
import { rowParts } from './parts.ts';

const unaryCodes = {
  affine: 0,
  exp: 1,
  log: 2,
  tanh: 3,
  sigmoid: 4,
  quickGelu: 5,
  leakyRelu: 6,
  sqrt: 7,
  gelu: 8,
} as const;
const binaryCodes = { add: 0, sub: 1, mul: 2, div: 3 } as const;

export type UnaryOp = keyof typeof unaryCodes;
type BinaryOp = keyof typeof binaryCodes;

/** op(x) as a new tensor; `alpha` and `beta` mean what the op's case in elementwise-unary.wgsl says. */
export function unary(op: UnaryOp, x: Tensor, alpha = 1, beta = 0): Tensor {
  checkOperands(op, { x });
  const { device } = x;
  const y = device.empty(x.shape, 'f32', op);
  for (const { first, count: n } of rowParts(device, x.size, [4])) {
    device.run({
      kernel: 'elementwise-unary',
      entry: 'forward',
      constants: { OP: unaryCodes[op] },
      buffers: { x: x.range(first, n), y: y.range(first, n) },
      params: { n, alpha, beta },
      grid: linearGrid(Math.ceil(n / perGroup)),
      flops: n,
      bytes: 8 * n,
    });
  }
  return y;
}

/** dy times the derivative of op at x, as a new tensor. */
export function unaryBackward(op: UnaryOp, x: Tensor, dy: Tensor, alpha = 1, beta = 0): Tensor {
  const { device } = x;
  const dx = device.empty(x.shape, 'f32', `d ${op}`);
  for (const { first, count: n } of rowParts(device, x.size, [4])) {
    device.run({
      kernel: 'elementwise-unary',
      entry: 'backward',
      constants: { OP: unaryCodes[op] },
      buffers: { x: x.range(first, n), dy: dy.range(first, n), dx: dx.range(first, n) },
      params: { n, alpha, beta },
      grid: linearGrid(Math.ceil(n / perGroup)),
      flops: n,
      bytes: 12 * n,
    });
  }
  return dx;
}

/** op(a, b) with NumPy's broadcasting, as a new tensor. Throws ShapeError where the shapes do not broadcast. */
export function binary(op: BinaryOp, a: Tensor, b: Tensor): Tensor {
  checkOperands(op, { a, b });
  const { device } = a;
  const shape = broadcastShape(op, a, b);
  const y = device.empty(shape, 'f32', op);
  const dense = a.size === y.size && b.size === y.size;
  if (!dense && y.bytes > device.maxBindingBytes) {
    throw new LimitError(
      `${op}: a broadcast result of ${y.bytes} bytes is over the ${device.maxBindingBytes} that can be bound`,
    );
  }
  const { sizes, strides } = collapse(shape, [a.shape, b.shape]);
  const [sa, sb] = [strides[0]!, strides[1]!];
  const rank = sizes[0] === 1 && sizes[1] === 1 ? 2 : 4;
  for (const { first, count } of rowParts(device, y.size, [4])) {
    const { elements, n } = elementsOf(device, count, dense);
    device.run({
      kernel: 'elementwise-binary',
      entry: 'forward',
      constants: { OP: binaryCodes[op], DENSE: dense, RANK: rank, ...elements },
      buffers: {
        a: dense ? a.range(first, count) : a,
        b: dense ? b.range(first, count) : b,
        y: y.range(first, count),
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
      flops: count,
      bytes: 4 * (a.size + b.size + y.size),
    });
  }
  return y;
}

/** alpha x as a new tensor. */
export function scaled(x: Tensor, alpha: number): Tensor {
  return unary('affine', x, alpha);
}

/** target += source; same number of elements, f32. */
export function addInto(target: Tensor, source: Tensor): void {
  const { elements, n } = elementsOf(target.device, target.size, true);
  const params = { n, ...noStrides };
  const grid = linearGrid(Math.ceil(n / perGroup));
  target.device.run({
    kernel: 'elementwise-binary',
    entry: 'add_into',
    constants: elements,
    buffers: { b: source, y: target },
    params,
    grid,
    flops: target.size,
    bytes: 12 * target.size,
  });
}

/** What a kernel walks through: on CPU adapters, where each access costs much, four elements at a time where it can. */
function elementsOf({ isCpu }: Device, count: number, isDense: boolean) {
  const inFours = isCpu && isDense && count % 4 === 0;
  return {
    elements: { Element: inFours ? 'vec4f' : 'f32' } as const,
    n: inFours ? count / 4 : count,
  };
}

/** a + b as a new tensor of a's shape; same number of elements, f32. */
export function sum2(a: Tensor, b: Tensor): Tensor {
  const y = a.device.empty(a.shape, 'f32', a.name);
  a.device.copy(a, y);
  addInto(y, b);
  return y;
}

/** A tensor of ones in the shape of another. */
export function onesLike(like: Tensor): Tensor {
  // 0 * x + 1 would keep a NaN of x, so the ones come from zeros.
  return unary('affine', like.device.zeros(like.shape), 0, 1);
}

const noStrides = {
  size_1: 1,
  size_2: 1,
  size_3: 1,
  a_0: 0,
  a_1: 0,
  a_2: 0,
  a_3: 0,
  b_0: 0,
  b_1: 0,
  b_2: 0,
  b_3: 0,
};
