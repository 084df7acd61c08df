// Principal axes and ridge regression against data whose answers are known.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  centred,
  meanOf,
  principalAxes,
  projected,
  ridge,
  unitRows,
} from '../../../train/clip-pretraining/principal-axes.ts';
import { RandomStream } from '../../../train/random-stream.ts';
import { device } from '../../support/device.ts';

const draws = new RandomStream(4);
const near = (found: ArrayLike<number>, expected: readonly number[], within: number) => {
  assert.is(found.length, expected.length);
  expected.forEach((value, i) => {
    assert.ok(Math.abs(found[i]! - value) <= within, `number ${i}: ${found[i]} for ${value}`);
  });
};

test('axes of points along two directions at right angles, the longer one first', async () => {
  // More rows than go to the device at a time.
  const n = 9001;
  const [long, short] = [
    [0.6, -0.8, 0],
    [0.8, 0.6, 0],
  ] as const;
  const values = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    const [a, b] = [draws.between(-3, 3), draws.between(-1, 1)];
    for (let j = 0; j < 3; j++) values[3 * i + j] = 5 + a * long[j]! + b * short[j]!;
  }
  const mean = meanOf({ values, width: 3 });
  near(mean, [5, 5, 5], 0.1);
  const rows = centred({ values, width: 3 }, mean);
  const { axes, explained } = await principalAxes(device, rows, 2);
  // The sign is that of the largest number.
  near(axes, [-0.6, 0.8, 0, 0.8, 0.6, 0], 0.02);
  assert.ok(Math.abs(explained - 1) < 1e-6);
  const one = await principalAxes(device, rows, 1);
  assert.ok(Math.abs(one.explained - 0.9) < 0.01, `${one.explained}`);
  const on = await projected(device, rows, { values: axes, width: 3 });
  assert.is(on.width, 2);
  const first = [0, 1].map((k) => [0, 1, 2].reduce((sum, j) => sum + rows.values[j]! * axes[3 * k + j]!, 0));
  near(on.values.slice(0, 2), first, 1e-5);
  near(unitRows({ values: Float32Array.of(3, 4, 0, 0), width: 2 }).values, [0.6, 0.8, 0, 0], 1e-6);
});

test('ridge: without a penalty the weights that made the numbers, with a large one nearly none', async () => {
  const n = 500;
  const weight = [
    [1, -2],
    [0.5, 3],
    [-1, 0],
  ];
  const x = new Float32Array(2 * n).map(() => draws.between(-1, 1));
  const y = new Float32Array(3 * n).map((_, i) => {
    const [row, m] = [Math.floor(i / 3), i % 3];
    return weight[m]![0]! * x[2 * row]! + weight[m]![1]! * x[2 * row + 1]! + 0.7;
  });
  const of = (penalty: number) => ridge(device, { values: x, width: 2 }, { values: y, width: 3 }, penalty);
  near(await of(1e-6), weight.flat(), 1e-3);
  near(await of(1e6), weight.flat().fill(0), 0.01);
});

test.run();
