// Mean attention against a reference in float64, and its gradients.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../../engine/autograd.ts';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../../engine/errors.ts';
import { meanAttention } from '../../../../engine/ops/attention/mean-attention.ts';
import { mul } from '../../../../engine/ops/elementwise.ts';
import { sum } from '../../../../engine/ops/reduce.ts';
import { device } from '../../../support/device.ts';
import { assertClose, checkGradients } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

interface Case {
  E: number;
  Lq: number;
  M: number;
  Lk: number;
  h: number;
  queryMask: number[];
  keyMask: number[];
}

/** Softmax over each sequence of keys for every query, then the mean over the queries; in float64. */
function reference(q: Float64Array, k: Float64Array, c: Case): Float64Array {
  const { E, Lq, M, Lk, h } = c;
  const average = new Float64Array(M * E * Lk);
  for (let e = 0; e < E; e++) {
    const real = Array.from({ length: Lq }, (_, i) => i).filter((i) => c.queryMask[e * Lq + i]);
    for (const i of real) {
      for (let m = 0; m < M; m++) {
        const weights = Array.from({ length: Lk }, (_, j) => {
          if (!c.keyMask[m * Lk + j]) return 0;
          let score = 0;
          for (let d = 0; d < h; d++) score += q[(e * Lq + i) * h + d]! * k[(m * Lk + j) * h + d]!;
          return Math.exp(score / Math.sqrt(h));
        });
        const total = weights.reduce((a, b) => a + b, 0);
        for (let j = 0; total > 0 && j < Lk; j++) {
          average[(m * E + e) * Lk + j]! += weights[j]! / total / real.length;
        }
      }
    }
  }
  return average;
}

/** A mask of `sequences` rows with different numbers of real tokens; `holes` leaves some out in the middle. */
function mask(sequences: number, length: number, holes = false): number[] {
  return Array.from({ length: sequences * length }, (_, i) => {
    const [row, at] = [Math.floor(i / length), i % length];
    if (holes && at > 0 && (at + row) % 3 === 0) return 0;
    return at === 0 || at < length - ((row * 5) % length) ? 1 : 0;
  });
}

const sizes: [E: number, Lq: number, M: number, Lk: number, h: number][] = [
  [1, 1, 1, 1, 1],
  [2, 3, 3, 5, 4],
  [7, 11, 5, 13, 6],
  [3, 17, 4, 31, 16],
  [1, 33, 2, 65, 33],
];

for (const [E, Lq, M, Lk, h] of sizes) {
  for (const holes of [false, true]) {
    test(`[${E}, ${Lq}] by [${M}, ${Lk}] tokens of ${h}${holes ? ', masks with holes' : ''}: values and gradients`, async () => {
      const c = { E, Lq, M, Lk, h, queryMask: mask(E, Lq, holes), keyMask: mask(M, Lk, holes) };
      await checkGradients({
        op: (q, k) => meanAttention(q, k, integers([E, Lq], c.queryMask), integers([M, Lk], c.keyMask)),
        reference: (q, k) => reference(q, k, c),
        shapes: [
          [E, Lq, h],
          [M, Lk, h],
        ],
        probes: 8,
        tolerance: 4e-5,
      });
    });
  }
}

test('a device that binds little works in chunks and gives the same bits', async () => {
  const [E, Lq, M, Lk, h] = [3, 5, 7, 20, 8];
  const small = await openDevice({ maxBindingBytes: 4096 }); // scores of 3 of the 7 sequences
  try {
    const runs = await Promise.all(
      [device, small].map((on) =>
        on.scope(() => {
          const q = on.parameter([E, Lq, h], normal(E * Lq * h, 1), 'q');
          const k = on.parameter([M, Lk, h], normal(M * Lk * h, 2), 'k');
          const masks = [mask(E, Lq), mask(M, Lk)].map((m) => Int32Array.from(m));
          const y = meanAttention(q, k, on.tensor([E, Lq], masks[0]!), on.tensor([M, Lk], masks[1]!));
          const gradients = backward(weighted(y));
          return Promise.all([y.read(), gradients.get(k)!.read(), gradients.get(q)!.read()]);
        }),
      ),
    );
    assert.equal([...runs[1]![0]], [...runs[0]![0]]);
    assert.equal([...runs[1]![1]], [...runs[0]![1]]);
    // Sums over the keys are added up chunk by chunk.
    assertClose(runs[1]![2], runs[0]![2], 1e-6, 'd query');
  } finally {
    small.destroy();
  }
});

test('a sequence without a real token gives zeros, and no gradient', async () => {
  const c = { E: 2, Lq: 2, M: 2, Lk: 3, h: 4, queryMask: [1, 1, 0, 0], keyMask: [0, 0, 0, 1, 0, 1] };
  await checkGradients({
    op: (q, k) => meanAttention(q, k, integers([2, 2], c.queryMask), integers([2, 3], c.keyMask)),
    reference: (q, k) => reference(q, k, c),
    shapes: [
      [2, 2, 4],
      [2, 3, 4],
    ],
  });
});

test('NaN on padding stays there, NaN on a real token shows', async () => {
  const [q, k] = [normal(2 * 2 * 4, 1), normal(1 * 3 * 4, 2)];
  q.fill(Number.NaN, 4, 8); // query 1 of sequence 0
  k.fill(Number.NaN, 8, 12); // key 2
  const run = (queries: number[], keys: number[]) =>
    meanAttention(
      device.tensor([2, 2, 4], q),
      device.tensor([1, 3, 4], k),
      integers([2, 2], queries),
      integers([1, 3], keys),
    ).read();
  const isNaNs = (y: ArrayLike<number>) => Array.from(y, (v) => Number.isNaN(v));
  assert.equal(isNaNs(await run([1, 0, 1, 1], [1, 1, 0])), [false, false, false, false, false, false]);
  assert.equal(isNaNs(await run([1, 1, 1, 1], [1, 1, 0])), [true, true, false, false, false, false]);
  assert.ok(isNaNs(await run([1, 0, 1, 1], [1, 1, 1])).every((found) => found));
});

test('memory: less than the scores of all tokens with all tokens', async () => {
  const [E, Lq, M, Lk, h] = [64, 40, 64, 40, 8];
  const [q, k] = [
    device.parameter([E, Lq, h], normal(E * Lq * h, 1), 'q'),
    device.tensor([M, Lk, h], normal(M * Lk * h, 2)),
  ];
  const ones = device.tensor([E, Lq], new Int32Array(E * Lq).fill(1));
  await device.finish();
  device.resetPeak();
  const before = device.counters.peakBytes;
  device.scope(() => backward(weighted(meanAttention(q, k, ones, ones))));
  assert.ok(device.counters.peakBytes - before < (4 * E * Lq * M * Lk) / (device.isCpu ? 1 : 0.5));
});

test('operands that do not fit are refused', () => {
  const [x, on] = [device.zeros([2, 3, 8]), device.zeros([2, 3], 'i32')];
  const throws = (run: () => unknown, type: new (m: string) => Error, text: RegExp) =>
    assert.throws(run, (e: Error) => e instanceof type && text.test(e.message));
  throws(() => meanAttention(x, device.zeros([2, 3, 4]), on, on), ShapeError, /\[2,3,8\].*\[2,3,4\]/);
  throws(() => meanAttention(x, device.zeros([2, 8]), on, on), ShapeError, /meanAttention/);
  throws(() => meanAttention(x, x, on, device.zeros([2, 4], 'i32')), ShapeError, /mask.*\[2,4\].*\[2,3\]/);
  throws(() => meanAttention(x, x, device.zeros([2, 3]), on), DtypeError, /queryMask/);
});

function integers(shape: number[], data: number[]) {
  return device.tensor(shape, Int32Array.from(data));
}

/** A scalar whose gradient does not cancel, as that of the plain sum would: the weights sum to 1. */
function weighted(y: ReturnType<typeof meanAttention>) {
  return sum(mul(y, y));
}

test.run();
