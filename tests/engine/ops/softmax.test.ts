// Softmax against a reference in float64, with masks of all shapes, and its gradient.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { DtypeError, ShapeError } from '../../../engine/errors.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { softmax } from '../../../engine/ops/softmax.ts';
import { type Shape, sizeOf } from '../../../engine/tensor.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';
import { generator, normal } from '../../support/random.ts';
import { forBothRowShapes, inParts } from '../../support/row-shapes.ts';

/** Softmax over rows of n in float64; `takesPart` by flat index. */
function reference(x: Float64Array, n: number, takesPart = (_: number) => true): Float64Array {
  const y = new Float64Array(x.length);
  for (let base = 0; base < x.length; base += n) {
    const at = Array.from({ length: n }, (_, i) => base + i).filter(takesPart);
    const top = at.reduce((most, i) => Math.max(most, x[i]!), -Infinity);
    const total = at.reduce((all, i) => all + Math.exp(x[i]! - top), 0);
    for (const i of at) y[i] = Math.exp(x[i]! - top) / total;
  }
  return y;
}

/** The mask's value for an element of x, by NumPy's broadcasting. */
function maskAt(mask: Int32Array, maskShape: Shape, shape: Shape, flat: number): boolean {
  let [rest, at, stride] = [flat, 0, 1];
  for (let i = shape.length - 1; i >= 0; i--) {
    const position = rest % shape[i]!;
    rest = Math.floor(rest / shape[i]!);
    const size = maskShape[i - shape.length + maskShape.length] ?? 1;
    if (size !== 1) at += position * stride;
    stride *= size;
  }
  return mask[at] !== 0;
}

const maskCases: [Shape, Shape][] = [
  [
    [5, 9],
    [5, 9],
  ],
  [[5, 8], [8]],
  [
    [5, 8],
    [5, 1],
  ],
  [
    [3, 4, 5, 7],
    [4, 1, 7],
  ],
  [
    [3, 4, 5, 64],
    [3, 1, 5, 1],
  ],
  [
    [2, 3, 65],
    [2, 1, 65],
  ],
  [
    [2, 3, 2, 3, 5],
    [3, 1, 3, 5],
  ],
  [[77], [77]],
];

forBothRowShapes((name, within) => {
  test(
    `softmax: values and gradients at odd shapes, ${name}`,
    within(async () => {
      for (const shape of [
        [1],
        [1, 1],
        [7, 3],
        [2, 3, 5],
        [63],
        [2, 64],
        [9, 65],
        [65, 8],
        [31, 77],
        [3, 1028],
      ]) {
        await checkGradients({
          op: (x) => softmax(x),
          reference: (x) => reference(x, shape.at(-1)!),
          shapes: [shape],
        });
      }
    }),
  );

  test(
    `softmax: values and gradients under masks that broadcast, ${name}`,
    within(async () => {
      for (const [shape, maskShape] of maskCases) {
        const next = generator(3);
        const bits = Int32Array.from({ length: sizeOf(maskShape) }, () => (next() < 0.6 ? 0 : 7));
        bits[0] = 1;
        const mask = device.tensor(maskShape, bits);
        await checkGradients({
          op: (x) => softmax(x, mask),
          reference: (x) => reference(x, shape.at(-1)!, (i) => maskAt(bits, maskShape, shape, i)),
          shapes: [shape],
        });
      }
    }),
  );

  test(
    `softmax: large logits do not overflow, ${name}`,
    within(async () => {
      const x = normal(2 * 77, 9).map((v) => 1e4 + 3 * v);
      const y = (await softmax(device.tensor([2, 77], x)).read()) as Float32Array;
      assertClose(y, reference(Float64Array.from(x), 77), 1e-5, 'value');
    }),
  );

  test(
    `softmax: a row without parts is zeros with zero gradients, ${name}`,
    within(async () => {
      const x = device.parameter([2, 3], [1, 2, 3, 4, 5, 6], 'x');
      const y = softmax(x, device.tensor([2, 1], [0, 1], { dtype: 'i32' }));
      assert.equal([...(await y.read()).slice(0, 3)], [0, 0, 0]);
      const dx = backward(sum(mul(y, device.tensor([3], [1, -2, 5])))).get(x)!;
      assert.equal([...(await dx.read()).slice(0, 3)].map(Math.abs), [0, 0, 0]);
    }),
  );

  test(
    `softmax: NaN and infinity stay in their row, and behind a mask, ${name}`,
    within(async () => {
      const rows = [
        [Number.NaN, 1, 2],
        [1, Infinity, 2],
        [-Infinity, -Infinity, -Infinity],
        [-Infinity, 0, 0],
      ];
      const y = [...(await softmax(device.tensor([4, 3], rows.flat())).read())];
      assert.equal(y.slice(0, 3).map(String), ['NaN', 'NaN', 'NaN']);
      assert.is(String(y[4]), 'NaN');
      assert.equal(y.slice(6, 9).map(String), ['NaN', 'NaN', 'NaN']);
      assert.equal(y.slice(9), [0, 0.5, 0.5]);
      const mask = device.tensor([3], [0, 1, 1], { dtype: 'i32' });
      const masked = softmax(device.tensor([2, 3], [Number.NaN, 5, 5, Infinity, 6, 6]), mask);
      assert.equal([...(await masked.read())], [0, 0.5, 0.5, 0, 0.5, 0.5]);
    }),
  );
});

test('softmax: tensors over the binding limit go in parts with the same result', async () => {
  await inParts(async (small) => {
    const [rows, n] = [300, 12];
    const bits = Int32Array.from({ length: rows }, (_, i) => Number(i % 3 > 0));
    const results = [device, small].map((on) => {
      const x = on.parameter([rows, n], normal(rows * n, 1), 'x');
      const y = softmax(x, on.tensor([rows, 1], bits));
      const [dx] = y.node!.backward(on.tensor([rows, n], normal(rows * n, 2)), [true]);
      return Promise.all([y.read(), dx!.read()]);
    });
    const [whole, parts] = await Promise.all(results);
    assert.equal(parts, whole);
  });
});

test('softmax: wrong shapes and dtypes are refused by name', () => {
  const x = device.zeros([2, 3]);
  const refused = (type: typeof ShapeError | typeof DtypeError, word: RegExp) => (e: Error) =>
    e instanceof type && word.test(e.message);
  assert.throws(() => softmax(x, device.zeros([2], 'i32')), refused(ShapeError, /mask .*\[2\].*x .*\[2,3\]/));
  assert.throws(() => softmax(x, device.zeros([1, 2, 3], 'i32')), refused(ShapeError, /mask/));
  assert.throws(() => softmax(x, device.zeros([3])), refused(DtypeError, /mask/));
  assert.throws(() => softmax(device.zeros([3], 'i32')), refused(DtypeError, /x/));
  assert.throws(() => softmax(device.zeros([])), refused(ShapeError, /x/));
});

test.run();
