// Maxima over time and over tensors against float64; ties, NaN and sequences of nothing.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../../engine/autograd.ts';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../../engine/errors.ts';
import { mul } from '../../../../engine/ops/elementwise.ts';
import { sum } from '../../../../engine/ops/reduce.ts';
import { maximum, maxOverTime } from '../../../../engine/ops/sequence/max-over-time.ts';
import type { Tensor } from '../../../../engine/tensor.ts';
import { device } from '../../../support/device.ts';
import { checkGradients } from '../../../support/gradient.ts';
import { generator, normal } from '../../../support/random.ts';

type Sizes = readonly [batch: number, length: number, width: number];

/** Over the steps that the mask has. */
function reference(x: Float64Array, [B, L, d]: Sizes, mask: Int32Array | null): Float64Array {
  const y = new Float64Array(B * d).fill(-Infinity);
  for (let i = 0; i < x.length; i++) {
    const row = Math.floor(i / d);
    const at = Math.floor(row / L) * d + (i % d);
    if (mask?.[row] !== 0) y[at] = Math.max(y[at]!, x[i]!);
  }
  return y;
}

const shapes: Sizes[] = [
  [1, 1, 1],
  [1, 7, 1],
  [3, 1, 65],
  [2, 5, 63],
  [5, 33, 24],
  [1, 131, 257],
];

/** Some steps of each sequence, not always the first ones; at least one. */
function someSteps([B, L]: Sizes): Int32Array<ArrayBuffer> {
  const next = generator(9);
  return Int32Array.from({ length: B * L }, (_, i) => (i % L === L - 1 || next() < 0.5 ? 1 : 0));
}

for (const sizes of shapes) {
  test(`the largest over time of [${sizes}], and over some steps: values and gradients`, async () => {
    const shape = [...sizes];
    await checkGradients({
      op: (x) => maxOverTime(x),
      reference: (x) => reference(x, sizes, null),
      shapes: [shape],
    });
    const mask = someSteps(sizes);
    const maskTensor = device.tensor(sizes.slice(0, 2), mask);
    await checkGradients({
      op: (x) => maxOverTime(x, maskTensor),
      reference: (x) => reference(x, sizes, mask),
      shapes: [shape],
      probes: 40,
    });
  });
}

/** The gradient of the sum of 1 y_0 + 2 y_1 + ... */
async function gradientOf(x: Tensor, op: (x: Tensor) => Tensor): Promise<number[]> {
  return device.scope(async () => {
    const y = op(x);
    const weights = device.tensor(
      y.shape,
      Float32Array.from({ length: y.size }, (_, i) => i + 1),
    );
    return [
      ...(await backward(sum(mul(y, weights)))
        .get(x)!
        .read()),
    ];
  });
}

test('of equal steps the first one that counts gets the gradient', async () => {
  const x = device.parameter([1, 4, 2], [1, 0, 3, 0, 3, 0, 2, 0], 'x');
  assert.equal(await gradientOf(x, maxOverTime), [0, 2, 1, 0, 0, 0, 0, 0]);
  const mask = device.tensor([1, 4], Int32Array.of(0, 0, 1, 1));
  assert.equal(await gradientOf(x, (x) => maxOverTime(x, mask)), [0, 0, 0, 0, 1, 2, 0, 0]);
});

test('a NaN is the largest where its step counts, with the gradient; infinities pass through', async () => {
  const x = device.parameter(
    [1, 3, 4],
    [1, NaN, -Infinity, 1, NaN, 2, -Infinity, NaN, 5, NaN, -Infinity, Infinity],
    'x',
  );
  assert.equal([...(await maxOverTime(x).read())].map(String), ['NaN', 'NaN', '-Infinity', 'NaN']);
  assert.equal(await gradientOf(x, maxOverTime), [0, 2, 3, 0, 1, 0, 0, 4, 0, 0, 0, 0]);
  const mask = device.tensor([1, 3], Int32Array.of(1, 0, 1));
  assert.equal([...(await maxOverTime(x, mask).read())].map(String), ['5', 'NaN', '-Infinity', 'Infinity']);
});

test('a sequence without a step that counts has -Infinity and gives no gradient', async () => {
  const x = device.parameter([2, 2, 1], [1, 2, 3, 4], 'x');
  const mask = device.tensor([2, 2], Int32Array.of(0, 0, 1, 0));
  assert.equal([...(await maxOverTime(x, mask).read())], [-Infinity, 3]);
  assert.equal(await gradientOf(x, (x) => maxOverTime(x, mask)), [0, 0, 2, 0]);
});

test('sequences beyond a binding are worked on in parts', async () => {
  const small = await openDevice({ maxBindingBytes: 2048 });
  const sizes: Sizes = [40, 8, 8];
  const [x, mask] = [normal(40 * 8 * 8, 3), someSteps(sizes)];
  const [values, gradients] = await Promise.all(
    [device, small].map((device) =>
      device.scope(() => {
        const leaf = device.parameter(sizes, x, 'x');
        const y = maxOverTime(leaf, device.tensor([40, 8], mask));
        return Promise.all([
          y.read(),
          backward(sum(mul(y, y)))
            .get(leaf)!
            .read(),
        ]);
      }),
    ),
  );
  assert.equal(values, gradients);
  small.destroy();
});

test('the largest of several tensors: values and gradients', async () => {
  for (const [count, shape] of [
    [1, [7]],
    [2, [3, 1, 5]],
    [3, [2, 9, 33]],
  ] as const) {
    await checkGradients({
      op: (...parts) => maximum(parts),
      reference: (...parts) => parts[0]!.map((_, i) => Math.max(...parts.map((part) => part[i]!))),
      shapes: Array.from({ length: count }, () => [...shape]),
    });
  }
});

test('of equal tensors the first gets the gradient, and NaN of any of them shows', async () => {
  const [a, b] = [device.parameter([3], [1, 2, 0], 'a'), device.parameter([3], [1, 3, 0], 'b')];
  assert.equal(await gradientOf(a, (a) => maximum([a, b])), [1, 0, 3]);
  assert.equal(await gradientOf(b, (b) => maximum([a, b])), [0, 2, 0]);
  for (const place of [0, 1]) {
    const parts = [0, 1].map((i) => device.tensor([1], [i === place ? Number.NaN : 1]));
    assert.ok(Number.isNaN(await maximum(parts).item()));
  }
});

test('operands that do not fit are refused', () => {
  const refused = (kind: typeof ShapeError | typeof DtypeError, text: RegExp, run: () => unknown) =>
    assert.throws(run, (e: Error) => e instanceof kind && text.test(e.message));
  const x = device.zeros([2, 3, 4]);
  refused(ShapeError, /maxOverTime.*\[6\]/, () => maxOverTime(device.zeros([6])));
  refused(ShapeError, /maxOverTime: mask.*\[2,4\].*\[2,3\]/, () =>
    maxOverTime(x, device.zeros([2, 4], 'i32')),
  );
  refused(DtypeError, /maxOverTime: mask/, () => maxOverTime(x, device.zeros([2, 3])));
  refused(DtypeError, /maxOverTime: x/, () => maxOverTime(device.zeros([2, 3, 4], 'i32')));
  refused(ShapeError, /maximum: .*\[3\].*\[2,3,4\]/, () => maximum([x, device.zeros([3])]));
  refused(ShapeError, /maximum: no tensors/, () => maximum([]));
});

test.run();
