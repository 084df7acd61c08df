// Gradients through recorded ops: who gets one, what is kept and in which order sums are made.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { addGradients, backward, backwardFrom, noGrad } from '../../engine/autograd.ts';
import { ShapeError } from '../../engine/errors.ts';
import { add, exp, mul, scale, sub } from '../../engine/ops/elementwise.ts';
import { linear } from '../../engine/ops/linear.ts';
import { sum } from '../../engine/ops/reduce.ts';
import { reshape } from '../../engine/ops/shape.ts';
import { device } from '../support/device.ts';
import { assertClose, checkGradients } from '../support/gradient.ts';
import { normal } from '../support/random.ts';

test('a tensor used several times receives the sum of its gradients', async () => {
  await checkGradients({
    op: (x) => add(mul(x, x), add(x, x)),
    reference: (x) => x.map((v) => v * v + 2 * v),
    shapes: [[7]],
  });
  await checkGradients({ op: (x) => sub(x, x), reference: (x) => x.map(() => 0), shapes: [[5]] });
  await checkGradients({
    op: (x) => {
      const y = reshape(x, [3, 2]);
      return add(add(y, y), mul(y, reshape(x, [3, 2])));
    },
    reference: (x) => x.map((v) => 2 * v + v * v),
    shapes: [[6]],
  });
});

test('a diamond of shared intermediate results', async () => {
  await checkGradients({
    op: (x) => {
      const a = exp(x);
      const b = scale(a, 2);
      return mul(add(a, b), add(b, a));
    },
    reference: (x) => x.map((v) => 9 * Math.exp(2 * v)),
    shapes: [[11]],
  });
});

test('frozen leaves and noGrad receive nothing', async () => {
  const w = device.parameter([2], [1, 2], 'w');
  const frozen = device.tensor([2], [3, 4]);
  const gradients = device.scope(() => backward(sum(mul(w, frozen))));
  assert.equal([...gradients.keys()], [w]);
  assert.equal([...(await gradients.get(w)!.read())], [3, 4]);
  const cut = device.scope(() =>
    backward(
      sum(
        mul(
          w,
          noGrad(() => exp(w)),
        ),
      ),
    ),
  );
  assertClose(
    await cut.get(w)!.read(),
    [Math.E, Math.E ** 2],
    1e-6,
    'gradient through the factor that is not cut',
  );
  assert.is(device.scope(() => backward(sum(frozen))).size, 0);
});

test('a frozen weight costs no weight gradient', () => {
  const x = device.parameter([4, 8], normal(32, 1), 'x');
  const frozen = device.tensor([8, 8], normal(64, 2));
  const trained = device.parameter([8, 8], normal(64, 2), 'weight');
  const cost = (weight: typeof frozen) => {
    const before = device.counters.dispatches;
    device.scope(() => void backward(sum(linear(x, weight, null))));
    return device.counters.dispatches - before;
  };
  assert.is(cost(trained) - cost(frozen), 1);
});

test('intermediate gradients go as soon as they are used', () => {
  const x = device.parameter([1000], normal(1000, 1), 'x');
  const peakOf = (depth: number) =>
    device.scope(() => {
      let y = x;
      for (let i = 0; i < depth; i++) y = scale(y, 1.01);
      const loss = sum(y);
      const before = device.counters.liveBytes;
      device.resetPeak();
      backward(loss);
      return device.counters.peakBytes - before;
    });
  assert.is(peakOf(40), peakOf(4));
});

test('only scalars are differentiated', () => {
  const x = device.parameter([2], [1, 2], 'x');
  assert.throws(
    () => backward(exp(x)),
    (e: Error) => e instanceof ShapeError && /exp \[2\] f32/.test(e.message),
  );
});

test('a walk from given gradients ends where the whole walk does, and leaves what it was given alone', async () => {
  const x = device.parameter([3], [0.5, -1, 2], 'x');
  const w = device.parameter([3], [1, 2, 3], 'w');
  const [whole, parts, given] = await device.scope(() => {
    const all = backward(sum(mul(exp(add(x, x)), w)));
    // The same in two pieces, cut at exp(x + x) and at w; one output is made from another, one is a leaf.
    const y = add(x, x);
    const z = exp(y);
    const cut = device.parameter([3], [0, 0, 0], 'cut');
    device.copy(z, cut);
    const later = backward(sum(mul(cut, w)));
    const dz = later.get(cut)!;
    const zeros = device.zeros([3]);
    const earlier = backwardFrom(
      new Map([
        [z, dz],
        [y, zeros],
        [w, zeros],
      ]),
    );
    const both = addGradients(new Map([[w, later.get(w)!]]), earlier);
    const read = (of: typeof all) => Promise.all([x, w].map((leaf) => of.get(leaf)!.read()));
    return Promise.all([read(all), read(both), Promise.all([dz.read(), zeros.read()])]);
  });
  assert.equal(parts, whole);
  assert.equal(given, [Float32Array.of(1, 2, 3), new Float32Array(3)]);
});

test('a walk from given gradients skips what needs none and refuses other sizes', () => {
  const x = device.parameter([2], [1, 2], 'x');
  const frozen = exp(device.tensor([2], [3, 4]));
  assert.is(device.scope(() => backwardFrom(new Map([[frozen, device.zeros([2])]]))).size, 0);
  assert.throws(
    () => backwardFrom(new Map([[exp(x), device.zeros([3])]])),
    (e: Error) => e instanceof ShapeError && /gradient zeros \[3\] f32 for exp \[2\] f32/.test(e.message),
  );
});

test.run();
