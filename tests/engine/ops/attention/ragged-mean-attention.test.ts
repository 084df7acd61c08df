// Mean attention of entities without padding against a reference, by every kernel.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../../engine/errors.ts';
import { meanAttention } from '../../../../engine/ops/attention/mean-attention.ts';
import { raggedMeanAttention } from '../../../../engine/ops/attention/ragged-mean-attention.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { generator, normal } from '../../../support/random.ts';

interface Case {
  /** Rows of each entity. */
  lengths: number[];
  M: number;
  Lk: number;
  h: number;
  keyMask: number[];
}

/** Softmax over each mention's keys for every row, then the mean over each entity's rows; in float64. */
function reference(q: ArrayLike<number>, k: ArrayLike<number>, c: Case): Float64Array {
  const { lengths, M, Lk, h, keyMask } = c;
  const average = new Float64Array(M * lengths.length * Lk);
  let row = 0;
  for (const [e, length] of lengths.entries()) {
    for (const end = row + length; row < end; row++) {
      for (let m = 0; m < M; m++) {
        const scores = Array.from({ length: Lk }, (_, j) => {
          if (!keyMask[m * Lk + j]) return Number.NEGATIVE_INFINITY;
          let score = 0;
          for (let d = 0; d < h; d++) score += q[row * h + d]! * k[(m * Lk + j) * h + d]!;
          return score / Math.sqrt(h);
        });
        const top = Math.max(-1e300, ...scores);
        const weights = scores.map((score) => Math.exp(score - top));
        const total = weights.reduce((a, b) => a + b, 0);
        for (let j = 0; total > 0 && j < Lk; j++) {
          average[(m * lengths.length + e) * Lk + j]! += weights[j]! / total / length;
        }
      }
    }
  }
  return average;
}

/** Where the rows of each entity begin, and where the last ones end. */
function positions(lengths: readonly number[]): Int32Array<ArrayBuffer> {
  const first = new Int32Array(lengths.length + 1);
  for (const [e, length] of lengths.entries()) first[e + 1] = first[e]! + length;
  return first;
}

/** Masks of mentions with different numbers of real keys, some with holes, one (of five) without any. */
function masks(M: number, Lk: number): number[] {
  return Array.from({ length: M * Lk }, (_, i) => {
    const [m, j] = [Math.floor(i / Lk), i % Lk];
    if (m % 5 === 4) return 0;
    if (m % 3 === 1 && j > 0 && (j + m) % 3 === 0) return 0;
    return j === 0 || j < Lk - ((m * 7) % Lk) ? 1 : 0;
  });
}

/** Lengths from 0 to `most`, in an order that a seed determines. */
function lengthsOf(E: number, most: number, seed = 1): number[] {
  const next = generator(seed);
  return Array.from({ length: E }, () => Math.floor(next() * (most + 1)));
}

// With widths in multiples of 4 up to 96 and at most 96 keys, CPU adapters use a kernel of their own: its
// workgroups own from 12 mentions (8 keys) to one (56 keys and more), in chunks of 32 features.
const cases: Record<string, Omit<Case, 'keyMask'>> = {
  'one of each': { lengths: [1], M: 1, Lk: 1, h: 1 },
  'one of each, four features': { lengths: [1], M: 1, Lk: 1, h: 4 },
  'two rows of two entities': { lengths: [1, 1], M: 2, Lk: 2, h: 2 },
  'empty entities at both ends and between': { lengths: [0, 0, 5, 0, 3, 0, 0, 0, 7, 0], M: 13, Lk: 5, h: 8 },
  'a mention more than a workgroup owns': { lengths: [23], M: 7, Lk: 15, h: 12 },
  'a width that is no multiple of four': { lengths: [24], M: 1, Lk: 16, h: 7 },
  '17 keys': { lengths: [25], M: 2, Lk: 17, h: 8 },
  'a long entity between short ones': { lengths: [3, 131, 1, 0, 60], M: 3, Lk: 23, h: 4 },
  '24 keys': { lengths: [24, 0, 48, 8, 16, 64], M: 5, Lk: 24, h: 12 },
  '25 keys': { lengths: lengthsOf(9, 30), M: 5, Lk: 25, h: 36 },
  '32 keys': { lengths: lengthsOf(11, 20), M: 6, Lk: 32, h: 31 },
  '33 keys': { lengths: lengthsOf(7, 26), M: 5, Lk: 33, h: 68 },
  '47 keys': { lengths: lengthsOf(5, 40), M: 3, Lk: 47, h: 96 },
  '53 keys': { lengths: lengthsOf(6, 40), M: 3, Lk: 53, h: 20 },
  '64 keys': { lengths: lengthsOf(13, 9), M: 3, Lk: 64, h: 20 },
  '65 keys': { lengths: lengthsOf(6, 33), M: 2, Lk: 65, h: 20 },
  '79 keys': { lengths: lengthsOf(4, 77), M: 6, Lk: 79, h: 8 },
  '96 keys': { lengths: [8, 0, 16, 7, 1, 1, 9], M: 3, Lk: 96, h: 96 },
  'wider than 96': { lengths: [8, 0, 16, 7, 1, 1, 9], M: 3, Lk: 9, h: 100 },
  '97 keys': { lengths: lengthsOf(5, 20), M: 2, Lk: 97, h: 4 },
  '448 keys': { lengths: [3, 9], M: 1, Lk: 448, h: 4 },
  'many short entities': { lengths: lengthsOf(101, 4), M: 7, Lk: 21, h: 28 },
};

/** Runs `body` with the kernels of this adapter, and those for adapters without subgroups and for GPUs. */
function testOnAll(name: string, body: () => void | Promise<void>, alsoAsGpu = true): void {
  const real = { isCpu: device.isCpu, subgroupSize: device.subgroupSize, isBrief: device.isBrief };
  for (const [label, pretended] of Object.entries({
    'this adapter': real,
    'no subgroups': { ...real, subgroupSize: 0 },
    'little work': { isCpu: true, subgroupSize: 0, isBrief: true },
    ...(alsoAsGpu ? { 'a GPU': { ...real, isCpu: false } } : {}),
  })) {
    test(`${name} (${label})`, async () => {
      Object.assign(device, pretended);
      try {
        await body();
      } finally {
        Object.assign(device, real);
      }
    });
  }
}

for (const [name, sizes] of Object.entries(cases)) {
  const run = async () => {
    const c = { ...sizes, keyMask: masks(sizes.M, sizes.Lk) };
    const { q, k, first, keyMask } = operands(c);
    const found = await device.scope(() => raggedMeanAttention(q, first, k, keyMask).read());
    assertClose(found, reference(await q.read(), await k.read(), c), 5e-6, name);
  };
  testOnAll(`${name}: the mean of softmaxes`, run, sizes.h % 4 === 0 && sizes.Lk < 112);
}

testOnAll('the same as meanAttention of padded queries', async () => {
  const c = { lengths: lengthsOf(40, 26), M: 9, Lk: 21, h: 32, keyMask: masks(9, 21) };
  const { q, k, first, keyMask } = operands(c);
  const rows = await q.read();
  const [E, Lq] = [c.lengths.length, Math.max(...c.lengths)];
  const padded = new Float32Array(E * Lq * c.h).fill(7);
  for (const [e, length] of c.lengths.entries())
    padded.set(rows.slice(first[e]! * c.h, (first[e]! + length) * c.h) as Float32Array, e * Lq * c.h);
  const queryMask = c.lengths.flatMap((length) => Array.from({ length: Lq }, (_, i) => (i < length ? 1 : 0)));
  const [found, expected] = await device.scope(() =>
    Promise.all([
      raggedMeanAttention(q, first, k, keyMask).read(),
      meanAttention(device.tensor([E, Lq, c.h], padded), k, integers([E, Lq], queryMask), keyMask).read(),
    ]),
  );
  assertClose(found, expected, 2e-6, 'average weights');
});

testOnAll('large scores do not overflow', async () => {
  const c = { lengths: [30], M: 1, Lk: 19, h: 4, keyMask: masks(1, 19) };
  const { k, first, keyMask } = operands(c);
  const q = device.tensor(
    [30, 4],
    normal(120, 5).map((x) => 300 * x),
  );
  const found = await device.scope(() => raggedMeanAttention(q, first, k, keyMask).read());
  assertClose(found, reference(await q.read(), await k.read(), c), 5e-4, 'average weights');
});

testOnAll('NaN and infinity reach the entities and mentions that they touch, and no others', async () => {
  const c: Case = { lengths: [2, 30, 1, 3], M: 3, Lk: 18, h: 8, keyMask: new Array(54).fill(1) };
  c.keyMask[2 * 18 + 5] = 0;
  const isNaNs = async (at: { q?: [row: number, value: number]; k?: [token: number, value: number] }) => {
    const { q, k, first, keyMask } = operands(c);
    const [rows, keys] = [await q.read(), await k.read()];
    if (at.q) rows[at.q[0] * c.h + 1] = at.q[1];
    if (at.k) keys[at.k[0] * c.h + 1] = at.k[1];
    device.write(q, rows);
    device.write(k, keys);
    const found = await device.scope(() => raggedMeanAttention(q, first, k, keyMask).read());
    // By mention and entity: how many of the keys are NaN.
    return Array.from({ length: 3 }, (_, m) =>
      Array.from(
        { length: 4 },
        (_, e) => found.slice((m * 4 + e) * 18, (m * 4 + e + 1) * 18).filter(Number.isNaN).length,
      ),
    );
  };
  const none = [0, 0, 0, 0];
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(await isNaNs({ q: [31, value] }), [
      [0, 18, 0, 0],
      [0, 18, 0, 0],
      [0, 17, 0, 0],
    ]);
    assert.equal(await isNaNs({ k: [2 * 18 + 5, value] }), [none, none, none]);
  }
  assert.equal(await isNaNs({ k: [18 + 3, Number.NaN] }), [none, [18, 18, 18, 18], none]);
});

test('the place of an entity among others does not change its bits', async () => {
  const [Lk, h] = [19, 24];
  const run = (before: number[], after: number[]) => {
    const lengths = [...before, 29, ...after];
    const rows = normal(29 * h, 3);
    const q = new Float32Array(lengths.reduce((a, b) => a + b, 0) * h).fill(0.5);
    q.set(rows, before.reduce((a, b) => a + b, 0) * h);
    const k = device.tensor([1, Lk, h], normal(Lk * h, 4));
    const average = raggedMeanAttention(
      device.tensor([q.length / h, h], q),
      positions(lengths),
      k,
      integers([1, Lk], masks(1, Lk)),
    );
    return average.read().then((a) => a.slice(before.length * Lk, (before.length + 1) * Lk));
  };
  const alone = await run([], []);
  const among = await run([24, 0, 48], [5]);
  assert.equal([...among], [...alone]);
  assertClose(await run([7, 2], [1]), alone, 1e-6, 'at another place of a tile');
});

test('a device that binds little works in parts and gives the same bits', async () => {
  const c = { lengths: lengthsOf(30, 5), M: 23, Lk: 20, h: 4, keyMask: masks(23, 20) };
  const small = await openDevice({ maxBindingBytes: 16_384 }); // a [., 30, 20] of 6 of the 23 mentions
  try {
    const [all, parts] = await Promise.all(
      [device, small].map((on) => {
        const { q, k, first, keyMask } = operands(c, on);
        return raggedMeanAttention(q, first, k, keyMask).read();
      }),
    );
    assert.equal([...parts!], [...all!]);
  } finally {
    small.destroy();
  }
});

testOnAll('positions in a tensor do the same, and lead nowhere outside q', async () => {
  const c = { lengths: [4, 0, 9, 2], M: 2, Lk: 18, h: 4, keyMask: masks(2, 18) };
  const { q, k, first, keyMask } = operands(c);
  const run = (starts: ArrayLike<number>) =>
    device.scope(() => raggedMeanAttention(q, integers([5], Array.from(starts)), k, keyMask).read());
  const expected = await raggedMeanAttention(q, first, k, keyMask).read();
  assert.equal([...(await run(first))], [...expected]);
  assert.equal([...(await run([-5, 4, 4, 13, 2 ** 31 - 1]))], [...expected]);
  const odd = await run([9, 3, 2 ** 30, -1, 7]);
  assert.ok(odd.every((weight) => Number.isFinite(weight)));
});

testOnAll('pairs that are not wanted do not change the others, and are weights or 0', async () => {
  const c = { lengths: lengthsOf(60, 40), M: 9, Lk: 20, h: 16, keyMask: masks(9, 20) };
  const { q, k, first, keyMask } = operands(c);
  const all = await raggedMeanAttention(q, first, k, keyMask).read();
  const next = generator(3);
  for (const share of [0, 0.1, 0.5, 1]) {
    const wanted = Uint32Array.from({ length: 9 * 60 }, () => (next() < share ? 1 : 0));
    const some = await raggedMeanAttention(q, first, k, keyMask, device.tensor([9, 60], wanted)).read();
    for (const [i, weight] of some.entries()) {
      const counts = wanted[Math.floor(i / 20)] === 1;
      assert.ok(weight === all[i] || (!counts && weight === 0), `${i}: ${weight}, expected ${all[i]}`);
    }
    if (share === 0) assert.ok(some.every((weight) => weight === 0));
  }
});

test('no more memory than the result', async () => {
  const c = { lengths: lengthsOf(64, 80), M: 64, Lk: 24, h: 8, keyMask: masks(64, 24) };
  const { q, k, first, keyMask } = operands(c);
  await device.finish();
  device.trim();
  device.resetPeak();
  const before = device.counters.liveBytes;
  device.scope(() => {
    raggedMeanAttention(q, first, k, keyMask);
  });
  const used = device.counters.peakBytes - before;
  assert.ok(used < 1.1 * 4 * 64 * 64 * 24, `${used} bytes`);
});

test('operands that do not fit are refused', () => {
  const [q, k, mask] = [device.zeros([6, 8]), device.zeros([2, 3, 8]), device.zeros([2, 3], 'i32')];
  const first = Int32Array.of(0, 2, 6);
  const throws = (run: () => unknown, type: new (m: string) => Error, text: RegExp) =>
    assert.throws(run, (e: Error) => e instanceof type && text.test(e.message));
  const attend = raggedMeanAttention;
  throws(() => attend(q, first, device.zeros([2, 3, 4]), mask), ShapeError, /\[6,8\].*\[2,3,4\]/);
  throws(() => attend(device.zeros([2, 3, 8]), first, k, mask), ShapeError, /raggedMeanAttention: q/);
  throws(() => attend(q, first, k, device.zeros([2, 4], 'i32')), ShapeError, /keyMask.*\[2,4\].*\[2,3\]/);
  throws(() => attend(q, first, k, device.zeros([2, 3])), DtypeError, /keyMask/);
  throws(() => attend(device.zeros([6, 8], 'i32'), first, k, mask), DtypeError, /q/);
  throws(() => attend(q, Int32Array.of(0), k, mask), ShapeError, /offsets holds 1/);
  throws(() => attend(q, Int32Array.of(0, 4, 3), k, mask), ShapeError, /offsets\[2\] is 3/);
  throws(() => attend(q, Int32Array.of(0, 4, 7), k, mask), ShapeError, /offsets\[2\] is 7.*\[6,8\]/);
  throws(() => attend(q, Int32Array.of(-1, 4), k, mask), ShapeError, /offsets\[0\] is -1/);
  throws(() => attend(q, device.zeros([3]), k, mask), DtypeError, /offsets/);
  throws(() => attend(q, device.zeros([1], 'i32'), k, mask), ShapeError, /offsets/);
  throws(() => attend(q, first, k, mask, device.zeros([2, 3], 'u32')), ShapeError, /pairMask.*\[2,2\]/);
  throws(() => attend(q, first, k, mask, device.zeros([2, 2])), DtypeError, /pairMask/);
  const [long, longMask] = [device.zeros([1, 449, 8]), device.zeros([1, 449], 'i32')];
  throws(() => attend(q, first, long, longMask), ShapeError, /448 keys/);
});

function operands(c: Case, on = device) {
  const rows = c.lengths.reduce((a, b) => a + b, 0);
  return {
    q: on.tensor([rows, c.h], normal(rows * c.h, 1)),
    k: on.tensor([c.M, c.Lk, c.h], normal(c.M * c.Lk * c.h, 2)),
    first: positions(c.lengths),
    keyMask: on.tensor([c.M, c.Lk], Int32Array.from(c.keyMask)),
  };
}

function integers(shape: number[], data: number[]) {
  return device.tensor(shape, Int32Array.from(data));
}

test.run();
