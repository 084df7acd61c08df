// Gumbel noise, and the straight-through choice against its definition.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { DtypeError, EngineError, ShapeError } from '../../../engine/errors.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { gumbelNoise, straightThrough } from '../../../engine/ops/gumbel.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { Random } from '../../../engine/random.ts';
import { type Shape, sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';

const shapes: Shape[] = [
  [1],
  [2],
  [1, 3],
  [63, 3],
  [64, 2],
  [65, 3],
  [5, 7, 3],
  [31, 16],
  [33, 8],
  [3, 11, 13],
];

for (const noisy of [true, false]) {
  test(`straight-through ${noisy ? 'with' : 'without'} noise: one-hot forward, softmax's gradient`, async () => {
    for (const shape of shapes) {
      for (const tau of [0.1, 1]) await check(shape, tau, noisy);
    }
  });
}

async function check(shape: Shape, tau: number, noisy: boolean): Promise<void> {
  const n = sizeOf(shape);
  const choices = shape.at(-1)!;
  const eps = 1e-6;
  const values = normal(n, n).map((v) => 0.05 + Math.abs(v));
  const weights = normal(n, n + 1);
  const pi = device.parameter(shape, values, 'pi');
  const noiseTensor = noisy ? gumbelNoise(device, shape, new Random(n)) : null;
  const noise = noiseTensor ? await floats(noiseTensor) : new Float32Array(n);
  const z = straightThrough(pi, noiseTensor, tau, eps);
  const gradient = backward(sum(mul(z, device.tensor(shape, weights)))).get(pi)!;

  const chosen = Float64Array.from(values, (v, i) => Math.log(v + eps) + noise[i]!);
  const expected = byRow(chosen, choices, (row) => row.map((v) => (v === Math.max(...row) ? 1 : 0)));
  assert.equal([...(await z.read())], [...expected], `[${shape}]`);

  const loss = (at: number, by: number) => {
    const moved = Float64Array.from(
      values,
      (v, i) => (Math.log(v + (i === at ? by : 0) + eps) + noise[i]!) / tau,
    );
    return byRow(moved, choices, softmax).reduce((total, v, i) => total + v * weights[i]!, 0);
  };
  const probes = Array.from({ length: Math.min(n, 20) }, (_, i) => (i * 7) % n);
  const numerical = probes.map((i) => (loss(i, 1e-6) - loss(i, -1e-6)) / 2e-6);
  const found = await floats(gradient);
  const scale = found.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  assertClose(
    probes.map((i) => found[i]!),
    numerical,
    1e-4,
    `gradient at [${shape}], tau ${tau}`,
    scale,
  );
}

test('noise makes each choice as likely as its pi', async () => {
  const rows = 40_000;
  const pi = [0.2, 0.5, 0.3];
  const tensor = device.tensor(
    [rows, 3],
    Float32Array.from({ length: 3 * rows }, (_, i) => pi[i % 3]!),
  );
  const z = straightThrough(tensor, gumbelNoise(device, [rows, 3], new Random(31)), 0.1, 0);
  const chosen = await floats(z);
  for (const [j, p] of pi.entries()) {
    const share = chosen.reduce((count, v, i) => count + (i % 3 === j ? v : 0), 0) / rows;
    assert.ok(Math.abs(share - p) < 0.01, `choice ${j}: ${share}, expected ${p}`);
  }
});

test('the first of equals is chosen, and pi of 0 may be', async () => {
  const z = straightThrough(device.tensor([3, 3], [1, 1, 1, 0, 2, 2, 0, 0, 0]), null, 0.1, 1e-6);
  assert.equal([...(await z.read())], [1, 0, 0, 0, 1, 0, 1, 0, 0]);
});

test('a row whose softmax is no number gives NaN, the others do not notice', async () => {
  const rows = [
    [1, 2],
    [Number.NaN, 1],
    [1, Number.NaN],
    [Infinity, 1],
    [-1, 1],
    [0, 0],
    [0, 1],
    [3, 1],
  ];
  const pi = device.parameter([8, 2], rows.flat(), 'pi');
  const z = straightThrough(pi, null, 1, 0);
  const gradient = backward(sum(mul(z, device.tensor([8, 2], normal(16, 2))))).get(pi)!;
  const nan = [Number.NaN, Number.NaN];
  assert.equal([...(await z.read())], [[0, 1], nan, nan, nan, nan, nan, [0, 1], [1, 0]].flat());
  const isNan = [...(await gradient.read())].map(Number.isNaN);
  assert.equal([isNan.slice(0, 2), isNan.slice(2, 12), isNan.slice(14)].flat(), [
    false,
    false,
    ...new Array(10).fill(true),
    false,
    false,
  ]);
});

test('wrong operands are refused by name', () => {
  const pi = device.zeros([2, 3]);
  const refuse = (body: () => unknown, type: new (message: string) => Error, words: RegExp) =>
    assert.throws(body, (error: Error) => error instanceof type && words.test(error.message));
  refuse(() => straightThrough(pi, device.zeros([3, 2]), 1, 0), ShapeError, /noise.*\[3,2\].*\[2,3\]/);
  refuse(() => straightThrough(device.zeros([2, 17]), null, 1, 0), ShapeError, /17/);
  refuse(() => straightThrough(device.zeros([]), null, 1, 0), ShapeError, /last axis/);
  refuse(() => straightThrough(device.zeros([2, 3], 'i32'), null, 1, 0), DtypeError, /pi/);
  for (const tau of [0, -1, Number.NaN, Infinity])
    refuse(() => straightThrough(pi, null, tau, 0), EngineError, /tau/);
  refuse(() => straightThrough(pi, null, 1, -1), EngineError, /eps/);
});

async function floats(tensor: Tensor): Promise<Float32Array> {
  return (await tensor.read()) as Float32Array;
}

/** Applies f to every row of the given width. */
function byRow(x: Float64Array, width: number, f: (row: number[]) => number[]): number[] {
  return Array.from({ length: x.length / width }, (_, i) =>
    f([...x.subarray(i * width, (i + 1) * width)]),
  ).flat();
}

function softmax(row: number[]): number[] {
  const exponentials = row.map((v) => Math.exp(v - Math.max(...row)));
  const total = exponentials.reduce((a, b) => a + b);
  return exponentials.map((v) => v / total);
}

test.run();
