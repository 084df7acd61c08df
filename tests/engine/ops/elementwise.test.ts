// Elementwise ops against a reference in float64, with broadcasting, and their gradients.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as ops from '../../../engine/ops/elementwise.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { device } from '../../support/device.ts';
import { checkGradients } from '../../support/gradient.ts';
import { normalCdf } from '../../support/normal-cdf.ts';
import { normal } from '../../support/random.ts';

const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const unary: Record<string, { op: (x: Tensor) => Tensor; f: (v: number) => number; positive?: boolean }> = {
  affine: { op: (x) => ops.affine(x, 1.5, -2), f: (v) => 1.5 * v - 2 },
  scale: { op: (x) => ops.scale(x, -3), f: (v) => -3 * v },
  exp: { op: ops.exp, f: Math.exp },
  log: { op: ops.log, f: Math.log, positive: true },
  sqrt: { op: ops.sqrt, f: Math.sqrt, positive: true },
  tanh: { op: ops.tanh, f: Math.tanh },
  sigmoid: { op: ops.sigmoid, f: sigmoid },
  quickGelu: { op: ops.quickGelu, f: (v) => v * sigmoid(1.702 * v) },
  gelu: { op: ops.gelu, f: (v) => v * normalCdf(v) },
  relu: { op: ops.relu, f: (v) => Math.max(v, 0) },
  leakyRelu: { op: ops.leakyRelu, f: (v) => (v > 0 ? v : 0.01 * v) },
};
const sizes = [1, 2, 255, 256, 257, 1009];

for (const [name, { op, f, positive }] of Object.entries(unary)) {
  test(`${name}: values and gradients at odd sizes`, async () => {
    for (const n of sizes) {
      const data = normal(n, n).map((v) => (positive ? 0.1 + Math.abs(v) : v));
      await checkGradients({ op, reference: (x) => x.map(f), shapes: [[n]], data: [data] });
    }
  });
}

const binary: Record<string, { op: (a: Tensor, b: Tensor) => Tensor; f: (a: number, b: number) => number }> =
  {
    add: { op: ops.add, f: (a, b) => a + b },
    sub: { op: ops.sub, f: (a, b) => a - b },
    mul: { op: ops.mul, f: (a, b) => a * b },
    div: { op: ops.div, f: (a, b) => a / b },
  };
const shapes: [number[], number[]][] = [
  [[7], [7]],
  [[257], []],
  [[3, 5], [5]],
  [
    [3, 1],
    [1, 5],
  ],
  [
    [2, 3, 5, 7],
    [3, 1, 7],
  ],
  [[1], [13, 17]],
  [
    [4, 67],
    [4, 67],
  ],
  [
    [2, 3, 4],
    [3, 4],
  ],
];

for (const [name, { op, f }] of Object.entries(binary)) {
  test(`${name}: values and gradients under broadcasting`, async () => {
    for (const [a, b] of shapes) {
      const size = (shape: number[]) => shape.reduce((p, n) => p * n, 1);
      const data = [normal(size(a), 3), normal(size(b), 4).map((v) => v + Math.sign(v))];
      await checkGradients({ op, reference: (p, q) => broadcast(p, a, q, b, f), shapes: [a, b], data });
    }
  });
}

test('NaN and infinities pass through', async () => {
  const y = ops.tanh(device.tensor([4], [Number.NaN, Infinity, -Infinity, 100]));
  assert.equal([...(await y.read())], [Number.NaN, 1, -1, 1]);
  const z = ops.relu(device.tensor([2], [Number.NaN, -Infinity]));
  assert.equal([...(await z.read())].map(String), ['NaN', 'NaN']);
});

test('gelu: each value to float32, far out in the tail too, and what is no number', async () => {
  const x = Float32Array.from({ length: 1601 }, (_, i) => (i - 800) / 80);
  const y = await ops.gelu(device.tensor([x.length], x)).read();
  for (const [i, v] of x.entries()) {
    const wanted = v * normalCdf(v);
    // In the tail the rounding of x^2 / 2 is the argument's of exp, which multiplies it.
    assert.ok(
      Math.abs(y[i]! - wanted) <= 1e-6 * (1 + v * v) * Math.abs(wanted),
      `gelu(${v}) is ${y[i]}, not ${wanted}`,
    );
  }
  const odd = device.tensor([4], [Number.NaN, Infinity, -Infinity, 3e38]);
  // -Infinity gives NaN as in PyTorch: -Infinity times 0.
  assert.equal([...(await ops.gelu(odd).read())].map(String), [
    'NaN',
    'Infinity',
    'NaN',
    `${Math.fround(3e38)}`,
  ]);
});

/** NumPy's broadcasting in float64, by walking the result's index. */
function broadcast(
  p: Float64Array,
  a: number[],
  q: Float64Array,
  b: number[],
  f: (x: number, y: number) => number,
) {
  const rank = Math.max(a.length, b.length);
  const pad = (s: number[]) => [...new Array(rank - s.length).fill(1), ...s] as number[];
  const [pa, pb] = [pad(a), pad(b)];
  const shape = pa.map((n, i) => Math.max(n, pb[i]!));
  const total = shape.reduce((x, n) => x * n, 1);
  return Float64Array.from({ length: total }, (_, flat) => {
    let [rest, i, j, si, sj] = [flat, 0, 0, 1, 1];
    for (let d = rank - 1; d >= 0; d--) {
      const at = rest % shape[d]!;
      rest = Math.floor(rest / shape[d]!);
      i += (pa[d] === 1 ? 0 : at) * si;
      j += (pb[d] === 1 ? 0 : at) * sj;
      si *= pa[d]!;
      sj *= pb[d]!;
    }
    return f(p[i]!, q[j]!);
  });
}

test.run();
