// Vectors of length 1 against a reference in float64, short ones and NaN included, and the gradient.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { DtypeError, ShapeError } from '../../../engine/errors.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';
import { forBothRowShapes, inParts } from '../../support/row-shapes.ts';

function reference(x: Float64Array, n: number): Float64Array {
  return x.map((v, at) => {
    const row = x.subarray(at - (at % n), at - (at % n) + n);
    return v / Math.max(Math.sqrt(row.reduce((total, u) => total + u * u, 0)), 1e-12);
  });
}

forBothRowShapes((name, within) => {
  test(
    `l2Normalize: values and gradients at odd shapes, ${name}`,
    within(async () => {
      for (const shape of [[1, 2], [7, 3], [3, 5, 7], [63], [2, 64], [9, 65], [65, 8], [5, 257], [3, 1028]]) {
        await checkGradients({
          op: l2Normalize,
          reference: (x) => reference(x, shape.at(-1)!),
          shapes: [shape],
        });
      }
    }),
  );

  test(
    `l2Normalize: a single element gives its sign and no gradient, ${name}`,
    within(async () => {
      const x = device.parameter([3, 1], [2, -5, 0.5], 'x');
      const y = l2Normalize(x);
      assert.equal([...(await y.read())], [1, -1, 1]);
      assert.equal([...(await backward(sum(y)).get(x)!.read())].map(Math.abs), [0, 0, 0]);
    }),
  );

  test(
    `l2Normalize: a zero row stays zero and passes its gradient on over 1e-12, ${name}`,
    within(async () => {
      const x = device.parameter([2, 3], [0, 0, 0, 3, 0, 4], 'x');
      const y = l2Normalize(x);
      assertClose([...(await y.read())], [0, 0, 0, 0.6, 0, 0.8], 1e-7, 'value');
      const dx = await backward(sum(mul(y, device.tensor([3], [1, 2, -3]))))
        .get(x)!
        .read();
      assertClose([...dx.slice(0, 3)], [1e12, 2e12, -3e12], 1e-6, 'gradient of the zero row');
      assertClose(
        [...dx.slice(3)],
        [(1 - 0.6 * -1.8) / 5, 2 / 5, (-3 - 0.8 * -1.8) / 5],
        1e-6,
        'gradient of the other',
      );
    }),
  );

  test(
    `l2Normalize: NaN stays in its row and fills it, ${name}`,
    within(async () => {
      const y = [...(await l2Normalize(device.tensor([2, 3], [1, Number.NaN, 2, 0, 2, 0])).read())];
      assert.equal(y.map(String), ['NaN', 'NaN', 'NaN', '0', '1', '0']);
      const [zero, nan] = await l2Normalize(device.tensor([2], [1, Infinity])).read();
      assert.equal([zero, String(nan)], [0, 'NaN']);
    }),
  );
});

test('l2Normalize: tensors over the binding limit go in parts with the same result', async () => {
  await inParts(async (small) => {
    const [rows, n] = [300, 12];
    const results = [device, small].map((on) => {
      const x = on.parameter([rows, n], normal(rows * n, 1), 'x');
      const y = l2Normalize(x);
      const [dx] = y.node!.backward(on.tensor([rows, n], normal(rows * n, 2)), [true]);
      return Promise.all([y.read(), dx!.read()]);
    });
    const [whole, parts] = await Promise.all(results);
    assert.equal(parts, whole);
  });
});

test('l2Normalize: wrong shapes and dtypes are refused', () => {
  assert.throws(
    () => l2Normalize(device.zeros([])),
    (e: Error) => e instanceof ShapeError,
  );
  assert.throws(
    () => l2Normalize(device.zeros([3], 'i32')),
    (e: Error) => e instanceof DtypeError,
  );
});

test.run();
