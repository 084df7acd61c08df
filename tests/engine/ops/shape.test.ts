// Ops that move elements against a reference, and their gradients.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { broadcastTo, concat, reshape, slice, transpose } from '../../../engine/ops/shape.ts';
import { device } from '../../support/device.ts';
import { checkGradients } from '../../support/gradient.ts';

/** Position of each multi-index of a shape, in row-major order, mapped by `at` to a source position. */
function walk(shape: number[], at: (index: number[]) => number): number[] {
  const total = shape.reduce((p, n) => p * n, 1);
  return Array.from({ length: total }, (_, flat) => {
    const index: number[] = [];
    for (let rest = flat, d = shape.length - 1; d >= 0; d--) {
      index.unshift(rest % shape[d]!);
      rest = Math.floor(rest / shape[d]!);
    }
    return at(index);
  });
}
const position = (shape: number[], index: number[]) => index.reduce((p, i, d) => p * shape[d]! + i, 0);

for (const [shape, axes] of [
  [
    [1, 7],
    [1, 0],
  ],
  [
    [3, 5, 7],
    [2, 0, 1],
  ],
  [
    [2, 3, 5, 7],
    [0, 2, 1, 3],
  ],
  [
    [17, 31],
    [1, 0],
  ],
] as [number[], number[]][]) {
  test(`transpose [${shape}] by [${axes}]: values and gradients`, async () => {
    const target = axes.map((axis) => shape[axis]!);
    const from = walk(target, (index) =>
      position(
        shape,
        axes.map((_, i) => index[axes.indexOf(i)]!),
      ),
    );
    await checkGradients({
      op: (x) => transpose(x, axes),
      reference: (x) => from.map((i) => x[i]!),
      shapes: [shape],
    });
  });
}

test('slice and concat along every axis: values and gradients', async () => {
  const shape = [3, 5, 7];
  for (const axis of [0, 1, 2]) {
    const part = shape.map((n, i) => (i === axis ? 2 : n));
    const from = walk(part, (index) =>
      position(
        shape,
        index.map((i, d) => (d === axis ? i + 1 : i)),
      ),
    );
    await checkGradients({
      op: (x) => slice(x, axis, 1, 2),
      reference: (x) => from.map((i) => x[i]!),
      shapes: [shape],
    });
    const joined = shape.map((n, i) => (i === axis ? n + 2 : n));
    const pick = (x: Float64Array, y: Float64Array) =>
      walk(joined, (index) => {
        const late = index[axis]! - shape[axis]!;
        return late < 0
          ? x[position(shape, index)]!
          : y[
              position(
                part,
                index.map((i, d) => (d === axis ? late : i)),
              )
            ]!;
      });
    await checkGradients({ op: (x, y) => concat([x, y], axis), reference: pick, shapes: [shape, part] });
  }
});

test('concat of one tensor with itself adds both gradients', async () => {
  await checkGradients({ op: (x) => concat([x, x], 0), reference: (x) => [...x, ...x], shapes: [[13]] });
});

test('reshape and broadcastTo: values and gradients', async () => {
  await checkGradients({ op: (x) => reshape(x, [-1, 5]), reference: (x) => x, shapes: [[2, 5, 3]] });
  const from = walk([3, 2, 5], ([, , k]) => k!);
  await checkGradients({
    op: (x) => broadcastTo(x, [3, 2, 5]),
    reference: (x) => from.map((i) => x[i]!),
    shapes: [[5]],
  });
});

test('integers and float16 move too', async () => {
  const ids = transpose(device.tensor([2, 3], Int32Array.from([1, 2, 3, 4, 5, 6])), [1, 0]);
  assert.equal([...(await ids.read())], [1, 4, 2, 5, 3, 6]);
  if (!device.hasF16) return;
  const half = slice(device.tensor([5], Uint16Array.from([1, 2, 3, 4, 5]), { dtype: 'f16' }), 0, 1, 3);
  assert.equal([...(await half.read())], [2, 3, 4]);
});

test.run();
