// LayerNorm over the last axis.

import { record, willRecord } from '../autograd.ts';
import { linearGrid } from '../device.ts';
import { ShapeError } from '../errors.ts';
import { rowParts } from '../kernels/parts.ts';
import { type RowShape, rowShape, rowsOf } from '../kernels/rows.ts';
import { checkOperands, describe, type Tensor } from '../tensor.ts';

/**
 * (x - mean) / sqrt(var + eps) * weight + bias over the last axis of x [..., n], with the variance over n;
 * weight, bias [n]. f32. As torch.nn.functional.layer_norm. Throws ShapeError, DtypeError.
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps = 1e-5): Tensor {
  checkOperands('layerNorm', { x, weight, bias });
  const { device } = x;
  const { rows, n } = rowsOf('layerNorm', x);
  for (const [role, vector] of Object.entries({ weight, bias })) {
    if (vector.rank !== 1 || vector.size !== n) {
      throw new ShapeError(`layerNorm: ${role} (${describe(vector)}) must be [${n}] for x (${describe(x)})`);
    }
  }
  const shape = rowShape(device, n);
  const keep = willRecord(x, weight, bias);
  const y = device.empty(x.shape, 'f32', 'layerNorm');
  const stats = keep ? device.empty([rows, 2], 'f32', 'layerNorm statistics') : device.dummy();
  for (const { first, count } of rowParts(device, rows, [4 * n, 4])) {
    device.run({
      kernel: 'layer-norm',
      entry: 'forward',
      constants: { ...shape.constants, ...shape.elements, KEEP: keep },
      buffers: {
        x: x.range(first * n, count * n),
        weight,
        bias,
        y: y.range(first * n, count * n),
        stats: keep ? stats.range(2 * first, 2 * count) : stats,
      },
      params: { ...noChunks, rows: count, n: shape.length, scalars: n, eps },
      grid: shape.grid(count),
      flops: 8 * count * n,
      bytes: 8 * count * n,
    });
  }
  return record(y, [x, weight, bias], (dy, needs) => [
    needs[0] ? inputGradient(x, weight, stats, dy, shape) : null,
    ...(needs[1] || needs[2] ? columnGradients(x, stats, dy, shape) : []),
  ]);
}

const noChunks = { chunk: 1, chunks: 1, first_chunk: 0 };

function inputGradient(x: Tensor, weight: Tensor, stats: Tensor, dy: Tensor, shape: RowShape): Tensor {
  const { device } = x;
  const { rows, n } = rowsOf('layerNorm', x);
  const dx = device.empty(x.shape, 'f32', 'd layerNorm');
  for (const { first, count } of rowParts(device, rows, [4 * n, 4])) {
    device.run({
      kernel: 'layer-norm',
      entry: 'backward',
      constants: { ...shape.constants, ...shape.elements },
      buffers: {
        x: x.range(first * n, count * n),
        weight,
        stats: stats.range(2 * first, 2 * count),
        dy: dy.range(first * n, count * n),
        dx: dx.range(first * n, count * n),
      },
      params: { ...noChunks, rows: count, n: shape.length, scalars: n, eps: 0 },
      grid: shape.grid(count),
      flops: 13 * count * n,
      bytes: 12 * count * n,
    });
  }
  return dx;
}

/** Rows that one invocation sums at the least: enough to pay for writing its sums. */
const rowsPerChunk = 32;
const mostChunks = 256;

/** Gradients of weight and bias [n]: sums over chunks of rows, then over chunks; in a fixed order. */
function columnGradients(x: Tensor, stats: Tensor, dy: Tensor, shape: RowShape): [Tensor, Tensor] {
  const { device } = x;
  const { rows, n } = rowsOf('layerNorm', x);
  const { length } = shape;
  const chunk = Math.max(rowsPerChunk, Math.ceil(rows / mostChunks));
  const parts = rowParts(device, rows, [4 * n, 4]).map((part) => ({
    ...part,
    chunks: Math.ceil(part.count / chunk),
  }));
  const allChunks = parts.reduce((sum, { chunks }) => sum + chunks, 0);
  const partial = device.empty([allChunks, 2, n], 'f32', 'layerNorm partial sums');
  let firstChunk = 0;
  for (const { first, count, chunks } of parts) {
    device.run({
      kernel: 'layer-norm',
      entry: 'columns',
      constants: { ...shape.elements },
      buffers: {
        x: x.range(first * n, count * n),
        stats: stats.range(2 * first, 2 * count),
        dy: dy.range(first * n, count * n),
        partial,
      },
      params: { rows: count, n: length, scalars: n, eps: 0, chunk, chunks, first_chunk: firstChunk },
      grid: linearGrid(Math.ceil((chunks * length) / 64)),
      flops: 5 * count * n,
      bytes: 8 * count * n,
    });
    firstChunk += chunks;
  }
  const dWeight = device.empty([n], 'f32', 'd layerNorm weight');
  const dBias = device.empty([n], 'f32', 'd layerNorm bias');
  device.run({
    kernel: 'layer-norm',
    entry: 'fold',
    constants: { ...shape.elements },
    buffers: { partial, d_weight: dWeight, d_bias: dBias },
    params: { ...noChunks, rows, n: length, scalars: n, eps: 0, chunks: allChunks },
    grid: [Math.ceil(length / 64), 1, 1],
    flops: 2 * allChunks * n,
    bytes: 8 * allChunks * n,
  });
  return [dWeight, dBias];
}
