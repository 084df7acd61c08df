// Convolution over the steps of sequences: one matrix product over each step's neighbours.

import { record } from '../../autograd.ts';
import { linearGrid } from '../../device.ts';
import { ShapeError } from '../../errors.ts';
import { rowParts } from '../../kernels/parts.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';
import { linear } from '../linear.ts';
import { reshape } from '../shape.ts';

/**
 * x [B, L, in], weight [out, in, k], bias [out] -> [B, L, out], f32:
 * y[t] = bias + sum over j of weight[., ., j] x[t + j - floor(k / 2)], zero outside the sequence.
 * So k = 2 sees t - 1 and t, k = 3 sees t - 1, t and t + 1: the first L steps of PyTorch's conv1d with padding
 * floor(k / 2), steps before channels. Throws ShapeError, DtypeError.
 */
export function conv1d(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  checkShapes(x, weight, bias);
  const [outputs, inputs, taps] = weight.shape as [number, number, number];
  const neighbours = taps === 1 ? x : unfold(x, taps);
  return linear(neighbours, reshape(weight, [outputs, inputs * taps]), bias);
}

/** x [B, L, d] -> [B, L, d * taps]: element c * taps + j of step t is x[t + j - floor(taps / 2), c]. */
function unfold(x: Tensor, taps: number): Tensor {
  const [B, L, d] = x.shape as [number, number, number];
  const y = x.device.empty([B, L, d * taps], 'f32', 'unfold');
  rearrange('unfold', x, y, taps, d);
  return record(y, [x], (dy) => {
    const dx = x.device.empty(x.shape, 'f32', 'd unfold');
    rearrange('fold', dy, dx, taps, d);
    return [dx];
  });
}

function rearrange(entry: 'unfold' | 'fold', x: Tensor, y: Tensor, taps: number, width: number): void {
  const { device } = x;
  const [B, L] = y.shape as [number, number];
  const [from, to] = [x.size / B, y.size / B];
  for (const { first, count } of rowParts(device, B, [4 * from, 4 * to])) {
    device.run({
      kernel: 'unfold',
      entry,
      constants: { TAPS: taps },
      buffers: { x: x.range(first * from, count * from), y: y.range(first * to, count * to) },
      params: { rows: count * L, length: L, width },
      grid: linearGrid(count * L),
      bytes: 4 * count * (from + to),
    });
  }
}

function checkShapes(x: Tensor, weight: Tensor, bias: Tensor): void {
  checkOperands('conv1d', { x, weight, bias });
  if (weight.rank !== 3) throw new ShapeError(`conv1d: weight (${describe(weight)}) must be [out, in, taps]`);
  if (x.rank !== 3 || x.shape[2] !== weight.shape[1]) {
    throw new ShapeError(
      `conv1d: x (${describe(x)}) must be [batch, length, in] for weight (${describe(weight)})`,
    );
  }
  if (bias.rank !== 1 || bias.size !== weight.shape[0]) {
    throw new ShapeError(`conv1d: bias (${describe(bias)}) does not fit weight (${describe(weight)})`);
  }
}
