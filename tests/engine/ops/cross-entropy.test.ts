// Softmax cross-entropy against a reference in float64, with columns left out, and its gradient.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { DtypeError, ShapeError } from '../../../engine/errors.ts';
import { crossEntropy } from '../../../engine/ops/cross-entropy.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';
import { generator, normal } from '../../support/random.ts';
import { forBothRowShapes, inParts } from '../../support/row-shapes.ts';

function reference(x: Float64Array, targets: Int32Array, excluded?: Int32Array): number {
  const n = x.length / targets.length;
  let loss = 0;
  for (let row = 0; row < targets.length; row++) {
    const logits = [...x.subarray(row * n, (row + 1) * n)].map((v, i) =>
      excluded?.[row * n + i] ? -Infinity : v,
    );
    const top = Math.max(...logits);
    const total = logits.reduce((all, v) => all + Math.exp(v - top), 0);
    loss += Math.log(total) + top - logits[targets[row]!]!;
  }
  return loss / targets.length;
}

/** Random targets, and exclusions that leave the targets alone. */
function draw(
  rows: number,
  n: number,
): { targets: Int32Array<ArrayBuffer>; excluded: Int32Array<ArrayBuffer> } {
  const next = generator(rows + n);
  const targets = Int32Array.from({ length: rows }, () => Math.floor(next() * n));
  const excluded = Int32Array.from({ length: rows * n }, (_, at) =>
    Number(targets[Math.floor(at / n)] !== at % n && next() < 0.3),
  );
  return { targets, excluded };
}

const cases: [number, number][] = [
  [1, 1],
  [1, 7],
  [7, 1],
  [5, 63],
  [9, 64],
  [64, 65],
  [65, 3],
  [128, 128],
  [3, 1031],
];

forBothRowShapes((name, within) => {
  test(
    `crossEntropy: value and gradient at odd shapes, ${name}`,
    within(async () => {
      for (const [rows, n] of cases) {
        const { targets } = draw(rows, n);
        const t = device.tensor([rows], targets);
        const single = n === 1;
        if (single) assert.is(await crossEntropy(device.zeros([rows, 1]), t).item(), 0);
        else
          await checkGradients({
            op: (x) => crossEntropy(x, t),
            reference: (x) => [reference(x, targets)],
            shapes: [[rows, n]],
          });
      }
    }),
  );

  test(
    `crossEntropy: excluded columns are no candidates and get no gradient, ${name}`,
    within(async () => {
      for (const [rows, n] of cases.filter(([, n]) => n > 1)) {
        const { targets, excluded } = draw(rows, n);
        const [t, e] = [device.tensor([rows], targets), device.tensor([rows, n], excluded)];
        await checkGradients({
          op: (x) => crossEntropy(x, t, e),
          reference: (x) => [reference(x, targets, excluded)],
          shapes: [[rows, n]],
        });
        const x = device.parameter([rows, n], normal(rows * n, 2), 'x');
        const dx = await backward(crossEntropy(x, t, e))
          .get(x)!
          .read();
        assert.ok(dx.every((v, i) => !excluded[i] || v === 0));
      }
    }),
  );

  test(
    `crossEntropy: large logits keep their digits, ${name}`,
    within(async () => {
      const { targets } = draw(5, 77);
      const x = normal(5 * 77, 3).map((v) => 1e4 + 10 * v);
      const loss = crossEntropy(device.tensor([5, 77], x), device.tensor([5], targets));
      assertClose([await loss.item()], [reference(Float64Array.from(x), targets)], 1e-6, 'loss');
    }),
  );

  test(
    `crossEntropy: targets out of range are clamped into the row, ${name}`,
    within(async () => {
      const x = device.tensor([2, 3], [1, 2, 3, 1, 2, 3]);
      const loss = async (targets: number[]) =>
        crossEntropy(x, device.tensor([2], Int32Array.from(targets))).item();
      assert.is(await loss([-1, -2147483648]), await loss([0, 0]));
      assert.is(await loss([3, 2147483647]), await loss([2, 2]));
    }),
  );

  test(
    `crossEntropy: an excluded target is infinitely unlikely, ${name}`,
    within(async () => {
      const x = device.parameter([1, 3], [1, 2, 3], 'x');
      const excluded = (columns: number[]) => device.tensor([1, 3], Int32Array.from(columns));
      const t = device.tensor([1], Int32Array.of(1));
      assert.is(await crossEntropy(x, t, excluded([0, 1, 0])).item(), Infinity);
      const none = crossEntropy(x, t, excluded([1, 1, 1]));
      assert.is(await none.item(), Infinity);
      assert.equal([...(await backward(none).get(x)!.read())], [0, 0, 0]);
    }),
  );

  test(
    `crossEntropy: NaN and infinite logits reach the loss, unless excluded, ${name}`,
    within(async () => {
      const t = device.tensor([1], Int32Array.of(0));
      const e = device.tensor([1, 2], Int32Array.of(0, 1));
      for (const odd of [Number.NaN, Infinity]) {
        const x = device.tensor([1, 2], [1, odd]);
        assert.is.not(Number.isFinite(await crossEntropy(x, t).item()), true);
        assert.is(await crossEntropy(x, t, e).item(), 0);
      }
      assert.is(await crossEntropy(device.tensor([1, 2], [1, -Infinity]), t).item(), 0);
    }),
  );
});

test('crossEntropy: tensors over the binding limit go in parts with the same result', async () => {
  await inParts(async (small) => {
    const [rows, n] = [300, 20];
    const { targets, excluded } = draw(rows, n);
    const results = [device, small].map((on) => {
      const x = on.parameter([rows, n], normal(rows * n, 1), 'x');
      const loss = crossEntropy(x, on.tensor([rows], targets), on.tensor([rows, n], excluded));
      return Promise.all([loss.read(), backward(loss).get(x)!.read()]);
    });
    const [whole, parts] = await Promise.all(results);
    assert.equal(parts, whole);
  });
});

test('crossEntropy: wrong shapes and dtypes are refused by name', () => {
  const x = device.zeros([2, 3]);
  const t = device.zeros([2], 'i32');
  const refused = (type: typeof ShapeError | typeof DtypeError, word: RegExp) => (e: Error) =>
    e instanceof type && word.test(e.message);
  assert.throws(() => crossEntropy(device.zeros([3]), t), refused(ShapeError, /logits/));
  assert.throws(() => crossEntropy(x, device.zeros([3], 'i32')), refused(ShapeError, /targets/));
  assert.throws(() => crossEntropy(x, device.zeros([2])), refused(DtypeError, /targets/));
  assert.throws(() => crossEntropy(x, t, device.zeros([3, 2], 'i32')), refused(ShapeError, /excluded/));
  assert.throws(() => crossEntropy(x, t, x), refused(DtypeError, /excluded/));
  assert.throws(() => crossEntropy(device.zeros([2, 3], 'i32'), t), refused(DtypeError, /logits/));
});

test.run();
