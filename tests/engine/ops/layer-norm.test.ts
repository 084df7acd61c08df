// LayerNorm against a reference in float64, far from 0 too, and its gradients.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { DtypeError, ShapeError } from '../../../engine/errors.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { layerNorm } from '../../../engine/ops/layer-norm.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';
import { forBothRowShapes, inParts } from '../../support/row-shapes.ts';

const eps = 1e-5;

function reference(x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  const n = weight.length;
  const y = new Float64Array(x.length);
  for (let base = 0; base < x.length; base += n) {
    const row = x.subarray(base, base + n);
    const mean = row.reduce((total, v) => total + v, 0) / n;
    const variance = row.reduce((total, v) => total + (v - mean) ** 2, 0) / n;
    y.set(
      row.map((v, i) => ((v - mean) / Math.sqrt(variance + eps)) * weight[i]! + bias[i]!),
      base,
    );
  }
  return y;
}

const shapes = [[1, 3], [7, 3], [3, 5, 7], [63], [2, 64], [9, 65], [65, 8], [5, 257], [3, 1028], [300, 12]];

forBothRowShapes((name, within) => {
  test(
    `layerNorm: values and gradients at odd shapes, ${name}`,
    within(async () => {
      for (const shape of shapes) {
        const n = shape.at(-1)!;
        await checkGradients({
          op: (x, weight, bias) => layerNorm(x!, weight!, bias!),
          reference,
          shapes: [shape, [n], [n]],
          tolerance: 5e-5,
        });
      }
    }),
  );

  test(
    `layerNorm: rows of a mean far above their deviation, ${name}`,
    within(async () => {
      for (const n of [77, 512]) {
        const x = normal(3 * n, n).map((v) => 1000 + v);
        const one = new Float32Array(n).fill(1);
        const y = layerNorm(device.tensor([3, n], x), device.tensor([n], one), device.zeros([n]));
        const expected = reference(Float64Array.from(x), Float64Array.from(one), new Float64Array(n));
        // The mean itself is only known to a float32's 3e-5 there.
        assertClose((await y.read()) as Float32Array, expected, 5e-5, 'value');
      }
    }),
  );

  test(
    `layerNorm: an outlier a hundred deviations out costs no digits, ${name}`,
    within(async () => {
      const n = 512;
      const x = normal(2 * n, 5).map((v, i) => (i % n === 0 ? 300 : v));
      const one = new Float32Array(n).fill(1);
      const y = layerNorm(device.tensor([2, n], x), device.tensor([n], one), device.zeros([n]));
      const expected = reference(Float64Array.from(x), Float64Array.from(one), new Float64Array(n));
      assertClose((await y.read()) as Float32Array, expected, 1e-6, 'value');
    }),
  );

  test(
    `layerNorm: a constant row gives the bias, NaN and infinity stay in their row, ${name}`,
    within(async () => {
      const rows = [
        [2, 2, 2],
        [1, Number.NaN, 3],
        [1, Infinity, 3],
        [1, 2, 3],
      ];
      const bias = device.tensor([3], [4, 5, 6]);
      const y = await layerNorm(
        device.tensor([4, 3], rows.flat()),
        device.tensor([3], [1, 1, 1]),
        bias,
      ).read();
      assert.equal([...y.slice(0, 3)], [4, 5, 6]);
      assert.equal([...y.slice(3, 9)].map(String), new Array(6).fill('NaN'));
      assertClose([...y.slice(9)], [4 - 1.2247357, 5, 6 + 1.2247357], 1e-6, 'value');
    }),
  );

  test(
    `layerNorm: only needed gradients are computed, equal to the full ones, ${name}`,
    within(async () => {
      const data = [normal(11 * 20, 1), normal(20, 2), normal(20, 3)];
      const w = device.tensor([11, 20], normal(220, 4));
      const gradients = async (trained: boolean[]) => {
        const [x, weight, bias] = data.map((values, i) => {
          const shape = i === 0 ? [11, 20] : [20];
          return trained[i] ? device.parameter(shape, values, `${i}`) : device.tensor(shape, values);
        });
        const found = backward(sum(mul(layerNorm(x!, weight!, bias!), w)));
        return Promise.all([x!, weight!, bias!].map(async (t) => [...((await found.get(t)?.read()) ?? [])]));
      };
      const all = await gradients([true, true, true]);
      for (let i = 0; i < 3; i++) {
        const one = await gradients([0, 1, 2].map((j) => i === j));
        assert.equal(
          one,
          all.map((g, j) => (i === j ? g : [])),
        );
      }
    }),
  );
});

test('layerNorm: tensors over the binding limit go in parts with the same result', async () => {
  await inParts(async (small) => {
    const [rows, n] = [200, 12];
    const data = [normal(rows * n, 1), normal(n, 2), normal(n, 3)];
    const results = [device, small].map((on) => {
      const x = on.parameter([rows, n], data[0]!, 'x');
      const weight = on.parameter([n], data[1]!, 'weight');
      const bias = on.parameter([n], data[2]!, 'bias');
      const y = layerNorm(x, weight, bias);
      const gradients = y.node!.backward(on.tensor([rows, n], normal(rows * n, 4)), [true, true, true]);
      return Promise.all([y, ...gradients].map((t) => t!.read()));
    });
    const [whole, parts] = await Promise.all(results);
    for (const [i, values] of whole!.entries()) {
      assertClose([...parts![i]!], [...values], 2e-6, `output ${i}`);
    }
  });
});

test('layerNorm: wrong shapes and dtypes are refused by name', () => {
  const x = device.zeros([2, 3]);
  const v = device.zeros([3]);
  assert.throws(
    () => layerNorm(x, device.zeros([2]), v),
    (e: Error) => e instanceof ShapeError && /weight/.test(e.message),
  );
  assert.throws(
    () => layerNorm(x, v, device.zeros([1, 3])),
    (e: Error) => e instanceof ShapeError && /bias/.test(e.message),
  );
  assert.throws(
    () => layerNorm(device.zeros([]), v, v),
    (e: Error) => e instanceof ShapeError,
  );
  assert.throws(
    () => layerNorm(x, device.zeros([3], 'i32'), v),
    (e: Error) => e instanceof DtypeError,
  );
});

test.run();
