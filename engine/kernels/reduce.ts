// Sums over axes on the device, in a fixed order. f32.

import { linearGrid } from '../device.ts';
import { type Shape, sizeOf, type Tensor } from '../tensor.ts';

const rowWidth = 64;
const fewOutputs = 4096;
const longColumn = 256;
const chunkLength = 64;
const rowChunkLength = 4096;

/** factor * sum over one axis, without that axis. */
export function sumAxis(x: Tensor, axis: number, factor: number): Tensor {
  const { device } = x;
  const outer = sizeOf(x.shape.slice(0, axis));
  const n = x.shape[axis]!;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const y = device.empty([...x.shape.slice(0, axis), ...x.shape.slice(axis + 1)], 'f32', 'sum');
  const work = { flops: x.size, bytes: 4 * (x.size + y.size) };
  // On GPUs neighbours take neighbouring elements of a long row, and a row longer than that goes in chunks.
  const isRow = inner === 1 && n >= rowWidth && !device.isCpu;
  const length = isRow ? rowChunkLength : chunkLength;
  const isLong = n >= (isRow ? 2 * rowChunkLength : longColumn);
  const chunks = outer * inner < fewOutputs && isLong ? Math.ceil(n / length) : 1;
  const parts = chunks > 1 ? device.empty([outer, chunks, inner], 'f32', 'partial sums') : y;
  // On CPU adapters each access costs much: four columns at a time.
  const inFours = device.isCpu && inner % 4 === 0;
  const width = inFours ? inner / 4 : inner;
  const run = (source: Tensor, target: Tensor, count: number, into: number, factor: number) =>
    device.run({
      kernel: 'reduce',
      entry: isRow ? 'rows' : 'columns',
      constants: { Element: inFours ? 'vec4f' : 'f32' },
      buffers: { x: source, y: target },
      params: { outer, n: count, inner: width, chunk: Math.ceil(count / into), chunks: into, scale: factor },
      grid: linearGrid(isRow ? outer * into : Math.ceil((outer * into * width) / 64)),
      ...work,
    });
  run(x, parts, n, chunks, chunks > 1 ? 1 : factor);
  if (chunks > 1) run(parts, y, chunks, 1, factor);
  return y;
}

/** Sums a gradient over the dimensions along which a tensor of `shape` was broadcast; x itself where there are none. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const lead = x.rank - shape.length;
  let result = x;
  for (let i = 0; i < x.rank; i++) {
    const repeated = i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1);
    // Summed dimensions stay as 1 until the end, so that axes keep their numbers.
    if (repeated && result.shape[i] !== 1) result = keepAxis(sumAxis(result, i, 1), x.rank, i, result.shape);
  }
  return result === x && lead === 0 ? x : result.device.view(result, shape);
}

/** Sum over all dimensions but the last, which has `columns` elements: a bias gradient. */
export function sumRows(x: Tensor, columns: number): Tensor {
  return sumAxis(x.device.view(x, [x.size / columns, columns]), 0, 1);
}

/** A sum over an axis of a tensor of `shape`, seen with that axis as 1. */
export function keepAxis(y: Tensor, rank: number, axis: number, shape: Shape): Tensor {
  return y.device.view(
    y,
    Array.from({ length: rank }, (_, i) => (i === axis ? 1 : shape[i]!)),
  );
}
