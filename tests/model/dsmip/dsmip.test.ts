// The choice among experts: what it takes in training, and where its gradients go.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { EngineError, ShapeError } from '../../../engine/errors.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { drawExperts, selectedScores } from '../../../model/dsmip/dsmip.ts';
import { device } from '../../support/device.ts';

test('training picks by probability and noise', async () => {
  const pi = device.tensor([1, 2, 2], [1, 2, 1, 2]);
  const noise = device.tensor([1, 2, 2], [0, 0, 3, 0]);
  const z = drawExperts(pi, noise, { tau: 0.1, eps: 1e-6 });
  assert.equal([...(await z.read())], [0, 1, 1, 0]);
});

test("a pair's score is that of its expert, and only that expert gets its gradient", async () => {
  const z = device.tensor([1, 2, 2], [0, 1, 1, 0]);
  const [a, b] = [device.parameter([1, 2], [1, 2], 'a'), device.parameter([1, 2], [10, 20], 'b')];
  const scores = selectedScores(z, [a, b]);
  assert.equal([...(await scores.read())], [10, 2]);
  const gradients = backward(sum(scores));
  assert.equal([...(await gradients.get(a)!.read())], [0, 1]);
  assert.equal([...(await gradients.get(b)!.read())], [1, 0]);
});

test('scores that do not fit the choices are refused', () => {
  const z = device.zeros([2, 3, 2]);
  const s = device.zeros([2, 3]);
  assert.throws(
    () => selectedScores(z, [s]),
    (e: Error) => e instanceof ShapeError && /1 experts/.test(e.message),
  );
  assert.throws(
    () => selectedScores(z, [s, device.zeros([3, 2])]),
    (e: Error) => /\[3,2\].*\[2,3,2\]/.test(e.message),
  );
  assert.throws(
    () => selectedScores(z, []),
    (e: Error) => e instanceof EngineError,
  );
});

test.run();
