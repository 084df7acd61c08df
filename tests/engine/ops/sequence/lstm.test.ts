// The LSTM against a plain one in float64: values and gradients, both directions, with padding.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward, noGrad } from '../../../../engine/autograd.ts';
import { DtypeError, type EngineError, ShapeError } from '../../../../engine/errors.ts';
import { mul } from '../../../../engine/ops/elementwise.ts';
import { sum } from '../../../../engine/ops/reduce.ts';
import { lstm } from '../../../../engine/ops/sequence/lstm.ts';
import { device } from '../../../support/device.ts';
import { assertClose, checkGradients } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';
import { inParts } from '../../../support/row-shapes.ts';

interface Sizes {
  /** Real tokens of each sequence. */
  lengths: readonly number[];
  L: number;
  H: number;
}

const cases: Sizes[] = [
  { lengths: [1], L: 1, H: 1 },
  { lengths: [3, 1, 2], L: 3, H: 5 },
  { lengths: [7, 1, 0, 4, 6], L: 7, H: 16 },
  { lengths: [2, 9, 5, 9, 1, 3, 8, 4, 9], L: 9, H: 33 },
];

function maskOf({ lengths, L }: Sizes): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: lengths.length * L }, (_, i) =>
    i % L < lengths[Math.floor(i / L)]! ? 1 : 0,
  );
}

/** Weights as PyTorch starts them: larger ones would leave the gates saturated. */
function operands({ lengths, L, H }: Sizes, seed = 1) {
  return [
    normal(lengths.length * L * 4 * H, seed),
    normal(4 * H * H, seed + 1).map((w) => w * H ** -0.5),
  ] as const;
}

function reference(
  { lengths, L, H }: Sizes,
  mask: Int32Array,
  reverse: boolean,
  projected: Float64Array,
  weight: Float64Array,
): Float64Array {
  const last = new Float64Array(lengths.length * H);
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  for (let b = 0; b < lengths.length; b++) {
    let h = new Float64Array(H);
    const c = new Float64Array(H);
    for (let step = 0; step < L; step++) {
      const t = reverse ? L - 1 - step : step;
      if (mask[b * L + t] === 0) continue;
      const z = Float64Array.from({ length: 4 * H }, (_, j) =>
        h.reduce((total, v, k) => total + weight[j * H + k]! * v, projected[(b * L + t) * 4 * H + j]!),
      );
      h = h.map((_, u) => {
        const [i, f, g, o] = [0, 1, 2, 3].map((gate) => z[gate * H + u]!) as [number, number, number, number];
        c[u] = sigmoid(f) * c[u]! + sigmoid(i) * Math.tanh(g);
        return sigmoid(o) * Math.tanh(c[u]!);
      });
    }
    last.set(h, b * H);
  }
  return last;
}

for (const reverse of [false, true]) {
  const direction = reverse ? 'backwards' : 'forwards';

  test(`values and gradients at odd sizes, rows of length 1 and 0, ${direction}`, async () => {
    for (const sizes of cases) {
      const { lengths, L, H } = sizes;
      const numbers = maskOf(sizes);
      const mask = device.tensor([lengths.length, L], numbers);
      await checkGradients({
        op: (projected, weight) => lstm(projected!, weight!, mask, { reverse }),
        reference: (projected, weight) => reference(sizes, numbers, reverse, projected!, weight!),
        shapes: [
          [lengths.length, L, 4 * H],
          [4 * H, H],
        ],
        data: operands(sizes),
      });
    }
  });

  test(`a mask with holes passes over the steps left out, ${direction}`, async () => {
    const sizes = { lengths: [5, 5], L: 5, H: 6 };
    const numbers = Int32Array.from([0, 1, 0, 1, 1, 1, 0, 0, 1, 0]);
    const mask = device.tensor([2, 5], numbers);
    await checkGradients({
      op: (projected, weight) => lstm(projected!, weight!, mask, { reverse }),
      reference: (projected, weight) => reference(sizes, numbers, reverse, projected!, weight!),
      shapes: [
        [2, 5, 24],
        [24, 6],
      ],
      data: operands(sizes),
    });
  });

  test(`more units than a workgroup has invocations, ${direction}`, async () => {
    for (const H of [257, 512]) {
      const sizes = { lengths: [3, 1, 2, 3, 3], L: 3, H };
      const numbers = maskOf(sizes);
      const mask = device.tensor([5, 3], numbers);
      await checkGradients({
        op: (projected, weight) => lstm(projected!, weight!, mask, { reverse }),
        reference: (projected, weight) => reference(sizes, numbers, reverse, projected!, weight!),
        shapes: [
          [5, 3, 4 * H],
          [4 * H, H],
        ],
        data: operands(sizes),
        probes: 3,
      });
    }
  });

  test(`what stands on padding does not matter, longer padding neither, ${direction}`, async () => {
    const short = { lengths: [4, 2, 1, 3, 2], L: 4, H: 7 };
    const long = { ...short, L: 6 };
    const [values, weights] = operands(short);
    const padded = new Float32Array(5 * 6 * 28).fill(Number.NaN);
    short.lengths.forEach((length, b) => {
      padded.set(values.subarray(b * 4 * 28, (b * 4 + length) * 28), b * 6 * 28);
    });
    const results = [
      { sizes: short, data: values },
      { sizes: long, data: padded },
    ].map(({ sizes, data }) => {
      const projected = device.parameter([5, sizes.L, 28], data, 'projected');
      const weight = device.parameter([28, 7], weights, 'weight');
      const y = lstm(projected, weight, device.tensor([5, sizes.L], maskOf(sizes)), { reverse });
      const gradients = backward(sum(mul(y, device.tensor([5, 7], normal(35, 9)))));
      return Promise.all([y, gradients.get(weight)!, gradients.get(projected)!].map((x) => x.read()));
    });
    const [a, b] = await Promise.all(results);
    assert.equal([...b![0]!], [...a![0]!]);
    assertClose([...b![1]!], [...a![1]!], 1e-6, 'gradient of the weight');
    short.lengths.forEach((length, row) => {
      const own = (x: ArrayLike<number>, L: number) =>
        Array.from(x).slice(row * L * 28, (row * L + length) * 28);
      assert.equal(own(b![2]!, 6), own(a![2]!, 4), `sequence ${row}`);
      const rest = Array.from(b![2]!).slice((row * 6 + length) * 28, (row + 1) * 6 * 28);
      assert.ok(
        rest.every((v) => v === 0),
        'padding gets no gradient',
      );
    });
  });

  test(`NaN and infinities stay in their sequence, ${direction}`, async () => {
    const sizes = { lengths: [3, 3, 3], L: 3, H: 5 };
    const [values, weights] = operands(sizes);
    const [first, second] = [values.slice(), values.slice()];
    first[(1 * 3 + 1) * 20 + 2] = Number.NaN;
    second[(1 * 3 + 1) * 20 + 2] = Infinity;
    const mask = device.tensor([3, 3], maskOf(sizes));
    const [clean, broken, saturated] = await Promise.all(
      [values, first, second].map((data) =>
        lstm(device.tensor([3, 3, 20], data), device.tensor([20, 5], weights), mask, { reverse }).read(),
      ),
    );
    for (const found of [broken!, saturated!]) {
      for (const row of [0, 2]) {
        assert.equal([...found.slice(5 * row, 5 * row + 5)], [...clean!.slice(5 * row, 5 * row + 5)]);
      }
    }
    assert.equal([...broken!.slice(5, 10)].map(String), new Array(5).fill('NaN'));
    assert.ok([...saturated!.slice(5, 10)].every(Number.isFinite), 'an input gate of infinity is open');
  });

  test(`without gradients and in parts the same bits, ${direction}`, async () => {
    await inParts(async (small) => {
      const sizes = { lengths: Array.from({ length: 37 }, (_, b) => b % 5), L: 4, H: 8 };
      const [values, weights] = operands(sizes);
      const results = [device, small].map((on) => {
        const projected = on.parameter([37, 4, 32], values, 'projected');
        const weight = on.parameter([32, 8], weights, 'weight');
        const mask = on.tensor([37, 4], maskOf(sizes));
        const y = lstm(projected, weight, mask, { reverse });
        const plain = noGrad(() => lstm(projected, weight, mask, { reverse }));
        const gradients = y.node!.backward(on.tensor([37, 8], normal(37 * 8, 4)), [true, false]);
        return Promise.all([y, plain, gradients[0]!].map((x) => x.read()));
      });
      const [whole, parts] = await Promise.all(results);
      assert.equal([...whole![1]!], [...whole![0]!]);
      for (const [i, values] of whole!.entries()) assert.equal([...parts![i]!], [...values], `output ${i}`);
    });
  });
}

test('wrong shapes and dtypes are refused by name', () => {
  const projected = device.zeros([2, 3, 20]);
  const weight = device.zeros([20, 5]);
  const mask = device.zeros([2, 3], 'i32');
  const refused = (kind: typeof EngineError, message: RegExp, run: () => unknown) =>
    assert.throws(run, (e: Error) => e instanceof kind && message.test(e.message));
  refused(ShapeError, /weight/, () => lstm(projected, device.zeros([20, 4]), mask));
  refused(ShapeError, /projected/, () => lstm(device.zeros([2, 3, 24]), weight, mask));
  refused(ShapeError, /projected/, () => lstm(device.zeros([6, 20]), weight, mask));
  refused(ShapeError, /mask/, () => lstm(projected, weight, device.zeros([3, 2], 'i32')));
  refused(DtypeError, /mask/, () => lstm(projected, weight, device.zeros([2, 3])));
  refused(DtypeError, /weight/, () => lstm(projected, device.zeros([20, 5], 'i32'), mask));
});

test.run();
