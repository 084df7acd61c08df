// Sums and means over axes.

import { record } from '../autograd.ts';
import { linearGrid } from '../device.ts';
import { ShapeError } from '../errors.ts';
import { checkOperands, describe, type Shape, sizeOf, type Tensor } from '../tensor.ts';
import { scale } from './elementwise.ts';
import { broadcastTo, reshape } from './shape.ts';

/** Sum over one axis (negative counts from the end), or over all elements to a scalar `[]`. f32. */
export function sum(x: Tensor, axis?: number): Tensor {
  return reduce('sum', x, axis, 1);
}

/** Mean over one axis, or over all elements. f32. */
export function mean(x: Tensor, axis?: number): Tensor {
  const n = axis === undefined ? x.size : x.shape.at(axis);
  return reduce('mean', x, axis, 1 / (n ?? 1));
}

/** Sums a gradient over the dimensions along which a tensor of `shape` was broadcast. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const lead = x.rank - shape.length;
  let result = x;
  for (let i = 0; i < x.rank; i++) {
    const repeated = i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1);
    // Summed dimensions stay as 1 until the end, so that axes keep their numbers.
    if (repeated && result.shape[i] !== 1)
      result = keepAxis(sumMiddle(result, i, 1), x.rank, i, result.shape);
  }
  return result === x && lead === 0 ? x : reshape(result, shape);
}

/** Sum over all dimensions but the last, which has `columns` elements: a bias gradient. Not differentiable. */
export function sumRows(x: Tensor, columns: number): Tensor {
  return sumMiddle(x.device.view(x, [x.size / columns, columns]), 0, 1);
}

function reduce(op: string, x: Tensor, axis: number | undefined, factor: number): Tensor {
  checkOperands(op, { x });
  if (axis === undefined) {
    const flat = x.device.view(x, [x.size]);
    const y = x.device.view(sumMiddle(flat, 0, factor), []);
    return record(y, [x], (dy) => [spread(dy, x.shape, factor)]);
  }
  const at = axis < 0 ? axis + x.rank : axis;
  if (!(at >= 0 && at < x.rank)) throw new ShapeError(`${op}: ${describe(x)} has no axis ${axis}`);
  const y = sumMiddle(x, at, factor);
  return record(y, [x], (dy) => [spread(keepAxis(dy, x.rank, at, x.shape), x.shape, factor)]);
}

/** The gradient of a scaled sum: the output's gradient, repeated and scaled. */
function spread(dy: Tensor, shape: Shape, factor: number): Tensor {
  return broadcastTo(factor === 1 ? dy : scale(dy, factor), shape);
}

function keepAxis(y: Tensor, rank: number, axis: number, shape: Shape): Tensor {
  return y.device.view(
    y,
    Array.from({ length: rank }, (_, i) => (i === axis ? 1 : shape[i]!)),
  );
}

const rowWidth = 64;
const fewOutputs = 4096;
const longColumn = 256;
const chunkLength = 64;
const rowChunkLength = 4096;

/** scale * sum over one axis, without that axis. */
function sumMiddle(x: Tensor, axis: number, factor: number): Tensor {
  const { device } = x;
  const outer = sizeOf(x.shape.slice(0, axis));
  const n = x.shape[axis]!;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const y = device.empty([...x.shape.slice(0, axis), ...x.shape.slice(axis + 1)], 'f32', 'sum');
  const work = { flops: x.size, bytes: 4 * (x.size + y.size) };
  // On GPUs neighbours own neighbouring elements of a long row, and a row longer than that goes in chunks.
  const isRow = inner === 1 && n >= rowWidth && !device.isCpu;
  const length = isRow ? rowChunkLength : chunkLength;
  const isLong = n >= (isRow ? 2 * rowChunkLength : longColumn);
  const chunks = outer * inner < fewOutputs && isLong ? Math.ceil(n / length) : 1;
  const parts = chunks > 1 ? device.empty([outer, chunks, inner], 'f32', 'partial sums') : y;
  const run = (source: Tensor, target: Tensor, count: number, into: number, factor: number) =>
    device.run({
      kernel: 'reduce',
      entry: isRow ? 'rows' : 'columns',
      buffers: { x: source, y: target },
      params: { outer, n: count, inner, chunk: Math.ceil(count / into), chunks: into, scale: factor },
      grid: linearGrid(isRow ? outer * into : Math.ceil((outer * into * inner) / 64)),
      ...work,
    });
  run(x, parts, n, chunks, chunks > 1 ? 1 : factor);
  if (chunks > 1) run(parts, y, chunks, 1, factor);
  return y;
}
