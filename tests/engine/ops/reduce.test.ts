// Sums and means over axes against a reference in float64, and their gradients.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ShapeError } from '../../../engine/errors.ts';
import { mean, sum } from '../../../engine/ops/reduce.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';

/** Sum over one axis in float64. */
function reference(x: Float64Array, shape: number[], axis: number): Float64Array {
  const [outer, n, inner] = [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
  const y = new Float64Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < n; j++)
      for (let i = 0; i < inner; i++) y[o * inner + i]! += x[(o * n + j) * inner + i]!;
  }
  return y;
}

const shapes = [
  [1],
  [63],
  [64, 1],
  [65, 3],
  [2, 255, 3],
  [3, 257],
  [7, 1, 11],
  [1, 1031, 5],
  [300, 12],
  [3, 70, 8],
];

for (const shape of shapes) {
  test(`sum and mean of [${shape}] over each axis and over all: values and gradients`, async () => {
    for (let axis = 0; axis < shape.length; axis++) {
      const op = (x: Parameters<typeof sum>[0]) => sum(x, axis);
      await checkGradients({ op, reference: (x) => reference(x, shape, axis), shapes: [shape] });
      const back = axis - shape.length;
      const scaled = (x: Float64Array) => reference(x, shape, axis).map((v) => v / shape[axis]!);
      await checkGradients({ op: (x) => mean(x, back), reference: scaled, shapes: [shape] });
    }
    await checkGradients({
      op: (x) => sum(x),
      reference: (x) => [x.reduce((a, b) => a + b, 0)],
      shapes: [shape],
    });
    await checkGradients({
      op: (x) => mean(x),
      reference: (x) => [x.reduce((a, b) => a + b, 0) / x.length],
      shapes: [shape],
    });
  });
}

test('the entry for GPUs, a workgroup a row, sums the same', async () => {
  for (const [outer, n] of [
    [1, 1],
    [3, 63],
    [5, 64],
    [2, 1000],
  ] as const) {
    const data = normal(outer * n, 3);
    const y = device.empty([outer], 'f32', 'sum');
    device.run({
      kernel: 'reduce',
      entry: 'rows',
      buffers: { x: device.tensor([outer, n], data), y },
      params: { outer, n, inner: 1, chunk: n, chunks: 1, scale: 2 },
      grid: [outer, 1, 1],
    });
    assertClose(
      await y.read(),
      reference(Float64Array.from(data), [outer, n], 1).map((v) => 2 * v),
      1e-5,
      `${n}`,
    );
  }
});

test('NaN and infinities reach the sums they belong to', async () => {
  const y = await sum(device.tensor([3, 2], [1, Number.NaN, Infinity, -Infinity, Infinity, 1]), 1).read();
  assert.equal([...y].map(String), ['NaN', 'NaN', 'Infinity']);
});

test('an axis that is not there is refused', () => {
  assert.throws(
    () => sum(device.zeros([2, 3]), 2),
    (e: Error) => e instanceof ShapeError && /sum.*\[2,3\].*axis 2/.test(e.message),
  );
});

test.run();
