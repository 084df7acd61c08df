// Dropout: its rate, that backward draws the same mask, and its refusals.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { openDevice } from '../../../engine/device.ts';
import { DtypeError, EngineError, ShapeError } from '../../../engine/errors.ts';
import { dropout } from '../../../engine/ops/dropout.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { device } from '../../support/device.ts';
import { checkGradients } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';

const seed = 21;

test('an element lives where its word is large enough, and then grows by 1 / (1 - rate); so does its gradient', async () => {
  for (const shape of [[1], [3], [63], [64], [65], [7, 37], [1021]]) {
    for (const rate of [0.1, 0.5, 0.9]) {
      const mask = keep(
        shape.reduce((a, b) => a * b),
        rate,
      );
      await checkGradients({
        op: (x) => dropout(x, rate, new Random(seed)),
        reference: (x) => x.map((v, i) => v * mask[i]!),
        shapes: [shape],
      });
    }
  }
});

test('the fraction dropped, the mean and the independence of neighbours are as promised', async () => {
  const n = 200_000;
  const y = await floats(dropout(ones(n), 0.3, new Random(seed)));
  const kept = y.reduce((count, v) => count + (v > 0 ? 1 : 0), 0) / n;
  assert.ok(Math.abs(kept - 0.7) < 0.005, `kept ${kept}`);
  const mean = y.reduce((total, v) => total + v, 0) / n;
  assert.ok(Math.abs(mean - 1) < 0.01, `mean ${mean}`);
  const variance = y.reduce((total, v) => total + (v - mean) ** 2, 0) / n;
  assert.ok(Math.abs(variance - 0.3 / 0.7) < 0.01, `variance ${variance}`);
  for (const lag of [1, 2, 3, 4, 64]) {
    let covariance = 0;
    for (let i = lag; i < n; i++) covariance += ((y[i]! - mean) * (y[i - lag]! - mean)) / n;
    assert.ok(Math.abs(covariance / variance) < 0.01, `correlation at ${lag}: ${covariance / variance}`);
  }
});

test('two dropouts of one generator differ; rate 0 is the identity and draws nothing', async () => {
  const random = new Random(seed);
  const x = ones(1000);
  assert.is(dropout(x, 0, random), x);
  assert.is(random.state().counter, 0);
  const first = await floats(dropout(x, 0.5, random));
  assert.not.equal(await floats(dropout(x, 0.5, random)), first);
  assert.equal(await floats(dropout(x, 0.5, new Random(seed))), first);
});

test('every third row of a larger tensor is dropped as there, forward and back', async () => {
  for (const [rows, width] of [
    [1, 4],
    [5, 12],
    [40, 8],
  ] as const) {
    const all = keep(3 * rows * width, 0.5);
    const mask = all.filter((_, i) => Math.floor(i / width) % 3 === 0);
    await checkGradients({
      op: (x) => dropout(x, 0.5, new Random(seed), 3),
      reference: (x) => x.map((v, i) => v * mask[i]!),
      shapes: [[rows, 1, width]],
    });
    const random = new Random(seed);
    dropout(device.zeros([rows, width]), 0.5, random, 3);
    const whole = new Random(seed);
    dropout(device.zeros([3 * rows, width]), 0.5, whole);
    assert.equal(random.state(), whole.state());
  }
  assert.throws(
    () => dropout(device.zeros([2, 6]), 0.5, new Random(seed), 3),
    (e: Error) => e instanceof ShapeError && /multiple of 4/.test(e.message),
  );
});

test('the backward uses its own mask although the generator has moved on', async () => {
  const random = new Random(seed);
  const x = device.parameter([1000], normal(1000, 1), 'x');
  const y = dropout(x, 0.5, random);
  dropout(x, 0.5, random);
  const gradient = backward(sum(y)).get(x)!;
  assert.equal(await floats(gradient), Float32Array.from(keep(1000, 0.5)));
});

test('tensors larger than a binding are dropped in parts, with the same mask', async () => {
  const small = await openDevice({ maxBindingBytes: 1024 });
  const x = small.tensor([1009], new Float32Array(1009).fill(1));
  const y = (await dropout(x, 0.5, new Random(seed)).read()) as Float32Array;
  assert.equal(y, Float32Array.from(keep(1009, 0.5)));
  small.destroy();
});

test('NaN passes through, kept or dropped', async () => {
  const y = await floats(
    dropout(device.tensor([64], new Float32Array(64).fill(Number.NaN)), 0.5, new Random(seed)),
  );
  assert.ok(y.every(Number.isNaN));
});

test('rates outside [0, 1) and other dtypes are refused', () => {
  for (const rate of [-0.1, 1, Number.NaN]) {
    assert.throws(
      () => dropout(ones(4), rate, new Random(1)),
      (e: Error) => e instanceof EngineError && /rate/.test(e.message),
    );
  }
  const integers = device.tensor([4], [1, 2, 3, 4], { dtype: 'i32' });
  assert.throws(
    () => mul(dropout(integers, 0.5, new Random(1)), integers),
    (e: Error) => e instanceof DtypeError,
  );
});

/** The factor of every element. */
function keep(n: number, rate: number): number[] {
  const words = new Random(seed).words(n);
  return Array.from(words, (word) => (word >= Math.round(rate * 2 ** 32) ? Math.fround(1 / (1 - rate)) : 0));
}

function ones(n: number): Tensor {
  return device.tensor([n], new Float32Array(n).fill(1));
}

async function floats(tensor: Tensor): Promise<Float32Array> {
  return (await tensor.read()) as Float32Array;
}

test.run();
