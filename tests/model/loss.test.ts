// The losses of training against float64, and the columns that they leave out.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ShapeError } from '../../engine/errors.ts';
import { l2Normalize } from '../../engine/ops/l2-normalize.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { contrastiveLoss, hingeLoss, ntXent } from '../../model/loss.ts';
import { device } from '../support/device.ts';
import { assertClose, checkGradients } from '../support/gradient.ts';
import { normal } from '../support/random.ts';

/** Equation 17 over the columns that are the row's own or another entity's. */
function reference(scores: Float64Array, entities: Int32Array, M: number): number[] {
  const N = entities.length;
  let total = 0;
  for (let i = 0; i < M; i++) {
    let sum = 0;
    for (let j = 0; j < N; j++) {
      if (j === i || entities[j] !== entities[i]) sum += Math.exp(scores[i * N + j]!);
    }
    total += Math.log(sum) - scores[i * N + i]!;
  }
  return [total / M];
}

const batches: [string, number, number[]][] = [
  ['no entity twice', 3, [4, 9, 2]],
  ['rows 0 and 2 share their entity', 4, [3, 8, 3, 5]],
  ['further negatives, one of them the entity of row 1', 2, [6, 1, 7, 1, 0]],
];

for (const [name, M, ids] of batches) {
  test(`${name}: loss and gradients`, async () => {
    const entities = Int32Array.from(ids);
    await checkGradients({
      op: (scores) => contrastiveLoss(scores, entities),
      reference: (scores) => reference(scores, entities, M),
      shapes: [[M, ids.length]],
    });
  });
}

test('a column with the same entity does not matter, however high its score', async () => {
  const entities = Int32Array.from([3, 8, 3]);
  const loss = (high: number) =>
    contrastiveLoss(device.tensor([3, 3], [1, 0.5, high, 0, 1, 0, 0.2, 0.1, 0.7]), entities).item();
  assert.is(await loss(0), await loss(50));
});

/** The mean over rows of the sum, over the other entities' columns, of max(0, margin - S_ii + S_ij). */
function hinge(scores: Float64Array, entities: Int32Array, M: number, margin: number): number[] {
  const N = entities.length;
  let total = 0;
  for (let i = 0; i < M; i++) {
    for (let j = 0; j < N; j++) {
      const excess = margin - scores[i * N + i]! + scores[i * N + j]!;
      if (entities[j] !== entities[i] && excess > 0) total += excess;
    }
  }
  return [total / M];
}

for (const [name, M, ids] of batches) {
  test(`hinge, ${name}: loss and gradients at margins of which some, all and no terms are positive`, async () => {
    const entities = Int32Array.from(ids);
    for (const margin of [0.2, 0.5, 20]) {
      await checkGradients({
        op: (scores) => hingeLoss(scores, entities, margin),
        reference: (scores) => hinge(scores, entities, M, margin),
        shapes: [[M, ids.length]],
        seed: 5,
      });
    }
    const scores = device.tensor([M, ids.length], normal(M * ids.length, 5));
    assert.is(await hingeLoss(scores, entities, -20).item(), 0);
  });
}

test('hinge: a column with the same entity does not matter, however high its score', async () => {
  const entities = Int32Array.from([3, 8, 3]);
  const loss = (high: number) =>
    hingeLoss(device.tensor([3, 3], [1, 0.75, high, 0, 1, 0, 0.25, 0.5, 0.75]), entities, 0.5).item();
  assert.is(await loss(0), await loss(50));
  assertClose([await loss(50)], [(0.25 + 0 + 0.25) / 3], 1e-6, 'loss');
});

/** NT-Xent of the rows of a and b as they are. */
function contrast(a: Float64Array, b: Float64Array, B: number, temperature: number): number {
  const d = a.length / B;
  const rows = Array.from({ length: 2 * B }, (_, i) =>
    (i < B ? a : b).subarray((i % B) * d, ((i % B) + 1) * d),
  );
  const likeness = (i: number, j: number) =>
    rows[i]!.reduce((dot, v, at) => dot + v * rows[j]![at]!, 0) / temperature;
  let total = 0;
  for (let i = 0; i < 2 * B; i++) {
    let sum = 0;
    for (let j = 0; j < 2 * B; j++) if (j !== i) sum += Math.exp(likeness(i, j));
    total += Math.log(sum) - likeness(i, (i + B) % (2 * B));
  }
  return total / (2 * B);
}

for (const [B, d, temperature] of [
  [1, 3, 0.6],
  [2, 1, 0.6],
  [5, 7, 0.6],
  [9, 33, 0.1],
] as const) {
  test(`NT-Xent of ${B} pairs of width ${d} at temperature ${temperature}: loss and gradients`, async () => {
    await checkGradients({
      op: (a, b) => ntXent(a, b, temperature),
      reference: (a, b) => [contrast(a, b, B, temperature)],
      shapes: [
        [B, d],
        [B, d],
      ],
      data: [normal(B * d, 1), normal(B * d, 2)].map((x) => x.map((v) => v / Math.sqrt(d))),
    });
  });
}

test('NT-Xent: the views may change places, and equal pairs are nearer than others', async () => {
  const [a, b] = [1, 2].map((seed) => l2Normalize(device.tensor([6, 5], normal(30, seed)))) as [
    Tensor,
    Tensor,
  ];
  const loss = await ntXent(a, b, 0.6).item();
  assertClose([await ntXent(b, a, 0.6).item()], [loss], 1e-6, 'loss with the views exchanged');
  assert.ok((await ntXent(a, a, 0.6).item()) < loss);
});

test('scores that do not fit the entities are refused, and views of two shapes', () => {
  for (const [name, loss] of [
    ['contrastiveLoss', contrastiveLoss],
    ['hingeLoss', (scores: Tensor, entities: Int32Array) => hingeLoss(scores, entities, 0.5)],
  ] as const) {
    const refused = (e: Error) =>
      e instanceof ShapeError && new RegExp(`${name}.*3 entities`).test(e.message);
    assert.throws(() => loss(device.zeros([3, 4]), new Int32Array(3)), refused);
    assert.throws(() => loss(device.zeros([4, 3]), new Int32Array(3)), refused);
    assert.throws(() => loss(device.zeros([9]), new Int32Array(3)), refused);
  }
  const refused = (e: Error) => e instanceof ShapeError && /ntXent.*\[2,3\].*\[3,3\]/.test(e.message);
  assert.throws(() => ntXent(device.zeros([2, 3]), device.zeros([3, 3]), 1), refused);
});

test.run();
