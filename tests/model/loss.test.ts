// The contrastive loss against float64, and the columns that it leaves out.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ShapeError } from '../../engine/errors.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import { device } from '../support/device.ts';
import { checkGradients } from '../support/gradient.ts';

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

test('scores that do not fit the entities are refused', () => {
  const refused = (e: Error) => e instanceof ShapeError && /contrastiveLoss.*3 entities/.test(e.message);
  assert.throws(() => contrastiveLoss(device.zeros([3, 4]), new Int32Array(3)), refused);
  assert.throws(() => contrastiveLoss(device.zeros([4, 3]), new Int32Array(3)), refused);
});

test.run();
