// The largest elements of rows and where they are. NaN counts as largest, the lower index first among equals.

import { willRecord } from '../autograd.ts';
import type { BufferRange } from '../device/pipelines.ts';
import { linearGrid } from '../device.ts';
import { EngineError, ShapeError } from '../errors.ts';
import { type RowPart, rowParts } from '../kernels/parts.ts';
import { checkOperands, describe, type Tensor } from '../tensor.ts';
import { concat } from './shape.ts';

const invocationsPerGroup = 8;

/** x [..., n] f32 -> [...] i32, the index of the largest element of each row. Not differentiable. */
export function argmax(x: Tensor): Tensor {
  const n = rowLength('argmax', x);
  const { device } = x;
  return device.scope(() => {
    const parts = rowParts(device, x.size / n, [4 * n]).map((part) => largest(x, part, n, 1));
    return device.view(concat(parts, 0), x.shape.slice(0, -1));
  });
}

/**
 * x [..., n] f32 -> the k largest of each row, largest first: values [..., k] f32 and indices [..., k] i32.
 * Throws ShapeError unless 1 <= k <= n, EngineError where a gradient would have to flow through the values.
 */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const n = rowLength('topK', x);
  if (!Number.isSafeInteger(k) || k < 1 || k > n) {
    throw new ShapeError(`topK: k must be an integer from 1 to ${n}, got ${k} for x (${describe(x)})`);
  }
  if (willRecord(x)) throw new EngineError(`topK: ${describe(x)} requires a gradient; topK has no backward`);
  const { device } = x;
  const shape = [...x.shape.slice(0, -1), k];
  return device.scope(() => {
    const parts = rowParts(device, x.size / n, [4 * n]);
    const indices = parts.map((part) => largest(x, part, n, k));
    const values = parts.map((part, i) => elementsAt(x, part, n, indices[i]!));
    return { values: device.view(concat(values, 0), shape), indices: device.view(concat(indices, 0), shape) };
  });
}

function rowLength(op: string, x: Tensor): number {
  checkOperands(op, { x });
  const n = x.shape.at(-1);
  if (n === undefined) throw new ShapeError(`${op}: x (${describe(x)}) must have at least one axis`);
  return n;
}

/** Indices [rows, k] of the k largest in each row of a part. */
function largest(x: Tensor, { first, count }: RowPart, n: number, k: number): Tensor {
  const { device } = x;
  const chunkLength = Math.max(device.isCpu ? 1024 : 128, 4 * k);
  const [none, noIndices] = [device.dummy(0), device.dummy(1)];
  let source: Record<'x' | 'from_keys' | 'from_indices', Tensor | BufferRange> = {
    x: x.range(first * n, count * n),
    from_keys: none,
    from_indices: noIndices,
  };
  for (let isFirst = true, length = n; ; isFirst = false) {
    const chunks = Math.ceil(length / chunkLength);
    const keys = device.empty([count, chunks, k], 'u32', 'candidate keys');
    const indices = device.empty(
      chunks === 1 ? [count, k] : [count, chunks, k],
      'i32',
      'indices of the largest',
    );
    device.run({
      kernel: 'top-k',
      entry: 'partial_top_k',
      constants: { FIRST: isFirst },
      buffers: { ...source, keys, indices },
      params: { rows: count, n: length, chunks, k },
      grid: linearGrid(Math.ceil((count * chunks) / invocationsPerGroup)),
      bytes: 4 * count * length,
    });
    if (chunks === 1) return indices;
    source = { x: none, from_keys: keys, from_indices: indices };
    length = chunks * k;
  }
}

/** values[row, i] = x[row, indices[row, i]] for a part of the rows; indices and values [rows, k]. */
function elementsAt(x: Tensor, { first, count }: RowPart, n: number, indices: Tensor): Tensor {
  const k = indices.size / count;
  const values = x.device.empty([count, k], 'f32', 'the largest');
  x.device.run({
    kernel: 'top-k',
    entry: 'gather',
    buffers: { x: x.range(first * n, count * n), from_indices: indices, values },
    params: { rows: count, n, chunks: 1, k },
    grid: linearGrid(Math.ceil((count * k) / 64)),
  });
  return values;
}
