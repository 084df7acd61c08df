// Attention against a reference in float64: masks, head sizes, all variants, and gradients.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Device } from '../../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../../engine/errors.ts';
import { attentionVariants } from '../../../../engine/kernels/attention-variants.ts';
import { attention } from '../../../../engine/ops/attention/attention.ts';
import { pretend } from '../../../support/adapter.ts';
import { device } from '../../../support/device.ts';
import { assertClose, checkGradients } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

interface Case {
  batch: number;
  lq: number;
  lk: number;
  heads: number;
  size: number;
  causal?: boolean;
  mask?: number[];
}

/** Attention in float64. */
function reference(q: Float64Array, k: Float64Array, v: Float64Array, c: Case): Float64Array {
  const width = c.heads * c.size;
  const out = new Float64Array(c.batch * c.lq * width);
  for (let b = 0; b < c.batch; b++) {
    for (let h = 0; h < c.heads; h++) {
      for (let i = 0; i < c.lq; i++) {
        const at = (b * c.lq + i) * width + h * c.size;
        const weights = Array.from({ length: c.lk }, (_, j) => {
          if ((c.causal && j > i) || (c.mask && c.mask[b * c.lk + j] === 0)) return 0;
          let score = 0;
          for (let d = 0; d < c.size; d++) score += q[at + d]! * k[(b * c.lk + j) * width + h * c.size + d]!;
          return Math.exp(score / Math.sqrt(c.size));
        });
        const total = weights.reduce((sum, w) => sum + w, 0);
        for (let j = 0; total > 0 && j < c.lk; j++) {
          for (let d = 0; d < c.size; d++) {
            out[at + d]! += (weights[j]! / total) * v[(b * c.lk + j) * width + h * c.size + d]!;
          }
        }
      }
    }
  }
  return out;
}

const cases: Case[] = [
  { batch: 1, lq: 1, lk: 1, heads: 1, size: 1 },
  { batch: 2, lq: 7, lk: 5, heads: 3, size: 4 },
  { batch: 1, lq: 17, lk: 33, heads: 1, size: 13 },
  { batch: 2, lq: 16, lk: 16, heads: 2, size: 32, causal: true },
  { batch: 1, lq: 37, lk: 37, heads: 1, size: 64, causal: true },
  { batch: 3, lq: 9, lk: 9, heads: 1, size: 32, causal: true, mask: lengths(9, [9, 4, 1]) },
  { batch: 2, lq: 5, lk: 65, heads: 1, size: 32, mask: lengths(65, [33, 64]) },
];

async function check(c: Case): Promise<void> {
  const { batch, lq, lk, heads, size, causal = false, mask } = c;
  const keyMask = mask ? { keyMask: device.tensor([batch, lk], Int32Array.from(mask)) } : {};
  await checkGradients({
    op: (q, k, v) => attention(q, k, v, { heads, causal, ...keyMask }),
    reference: (q, k, v) => reference(q, k, v, c),
    shapes: [
      [batch, lq, heads * size],
      [batch, lk, heads * size],
      [batch, lk, heads * size],
    ],
    probes: 6,
    tolerance: 4e-5,
  });
}

for (const c of cases) {
  const { batch, lq, lk, heads, size, causal = false, mask } = c;
  const name = JSON.stringify({ batch, lq, lk, heads, size, causal, mask: !!mask });
  test(`attention ${name}: values and gradients`, () => check(c));
}

/**
 * Cross-attention: queries of one sequence, keys of another, longer or shorter, with padding among the keys. Each head size is
 * a kernel of its own to compile.
 */
const crossCases: Case[] = [3, 12, 48, 128].flatMap((size, i) => [
  { batch: 2, lq: 5 + 4 * (i % 4), lk: 31 + i, heads: 1 + (i % 3), size, mask: lengths(31 + i, [31, 7]) },
  { batch: 2, lq: 35 - i, lk: 6 + i, heads: 2, size, mask: lengths(6 + i, [1, 6]) },
]);

test('cross-attention over padded keys, at several head sizes: values and gradients', async () => {
  for (const c of crossCases) await check(c);
});

for (const [name, subgroupSize] of [
  ['with subgroups', undefined],
  ['without subgroups', 0],
] as const) {
  test(`cross-attention by the kernels for GPUs ${name}`, () =>
    pretend(
      false,
      async () => {
        for (const c of crossCases.filter(({ size }) => size === 12)) await check(c);
      },
      subgroupSize,
    ));
}

test('cross-attention: values that are all the same come out as they are, whatever the queries and the mask', async () => {
  const [q, k] = [device.tensor([2, 9, 24], normal(432, 1)), device.tensor([2, 5, 24], normal(240, 2))];
  const row = normal(24, 3);
  const v = device.tensor(
    [2, 5, 24],
    Float32Array.from({ length: 240 }, (_, i) => row[i % 24]!),
  );
  const keyMask = device.tensor([2, 5], Int32Array.from(lengths(5, [5, 2])));
  const out = await attention(q, k, v, { heads: 2, keyMask }).read();
  assertClose(
    out,
    Float32Array.from({ length: 432 }, (_, i) => row[i % 24]!),
    1e-6,
    'value',
  );
});

test('the kernels for GPUs, with workgroup memory, are right on this adapter too', () =>
  pretend(false, async () => {
    for (const c of cases) await check(c);
  }));

test('the kernels for GPUs without subgroups are right on this adapter too', () =>
  pretend(
    false,
    async () => {
      for (const c of cases.filter(({ size }) => size === 13 || size === 32)) await check(c);
    },
    0,
  ));

test('the kernel for little work on a CPU is right', async () => {
  const real = { isCpu: device.isCpu, isBrief: device.isBrief };
  Object.assign(device, { isCpu: true, isBrief: true });
  try {
    for (const c of cases.filter(({ size }) => size === 13 || size === 32)) await check(c);
  } finally {
    Object.assign(device, real);
  }
});

test('every variant that tuning may pick on a GPU gives the same bits', async () => {
  const [lq, size] = [67, 32];
  const [q, k, v] = [0, 1, 2].map((seed) => device.tensor([1, lq, size], normal(lq * size, seed)));
  const operands = { q: q!, k: k!, v: v! };
  const results = await Promise.all(
    Object.values(attentionVariants({ isCpu: false } as Device, size)).map(
      ({ kernel, constants, queries }) => {
        const out = device.empty([1, lq, size], 'f32', 'out');
        device.run({
          kernel,
          entry: 'attention',
          constants: { ...constants, HEAD_SIZE: size, CAUSAL: true },
          buffers: { ...operands, out, lse: device.empty([lq], 'f32', 'lse'), key_mask: device.dummy() },
          params: {
            heads: 1,
            lq,
            lk: lq,
            scale: 0.2,
            q_stride: size,
            k_stride: size,
            v_stride: size,
            o_stride: size,
            q_offset: 0,
            k_offset: 0,
            v_offset: 0,
          },
          grid: [Math.ceil(lq / queries), 1, 1],
        });
        return out.read();
      },
    ),
  );
  assert.ok(results.length > 1);
  for (const result of results) assert.equal(result, results[0]);
});

test('a sequence whose keys are all masked gives zeros and no gradient', async () => {
  const c: Case = { batch: 2, lq: 3, lk: 4, heads: 1, size: 8, mask: [0, 0, 0, 0, 1, 0, 1, 1] };
  const keyMask = device.tensor([2, 4], Int32Array.from(c.mask!));
  await checkGradients({
    op: (q, k, v) => attention(q, k, v, { heads: 1, keyMask }),
    reference: (q, k, v) => reference(q, k, v, c),
    shapes: [
      [2, 3, 8],
      [2, 4, 8],
      [2, 4, 8],
    ],
  });
});

test('sequences of thousands of tokens and heads of 128: values', async () => {
  for (const c of [
    { batch: 1, lq: 3, lk: 4096, heads: 1, size: 16 },
    { batch: 1, lq: 33, lk: 31, heads: 2, size: 128 },
  ]) {
    const width = c.heads * c.size;
    const [q, k, v] = [normal(c.lq * width, 1), normal(c.lk * width, 2), normal(c.lk * width, 3)];
    const tensors = [
      device.tensor([1, c.lq, width], q),
      device.tensor([1, c.lk, width], k),
      device.tensor([1, c.lk, width], v),
    ] as const;
    const out = await attention(...tensors, { heads: c.heads }).read();
    assertClose(
      out,
      reference(Float64Array.from(q), Float64Array.from(k), Float64Array.from(v), c),
      2e-5,
      'value',
    );
  }
});

test('a NaN reaches the queries that see it, and no others', async () => {
  const values = normal(4 * 8, 1);
  const k = values.slice();
  k[2 * 8 + 1] = Number.NaN; // key 2: seen by queries 2 and 3
  const [x, bad] = [device.tensor([1, 4, 8], values), device.tensor([1, 4, 8], k)];
  const out = await attention(x, bad, x, { heads: 1, causal: true }).read();
  const rows = Array.from({ length: 4 }, (_, i) => out.slice(8 * i, 8 * i + 8).some((y) => Number.isNaN(y)));
  assert.equal(rows, [false, false, true, true]);
});

test('operands that do not fit are refused', () => {
  const x = device.zeros([2, 3, 8]);
  const throws = (run: () => unknown, type: new (m: string) => Error, text: RegExp) =>
    assert.throws(run, (e: Error) => e instanceof type && text.test(e.message));
  throws(
    () => attention(x, device.zeros([2, 3, 4]), x, { heads: 2 }),
    ShapeError,
    /attention.*\[2,3,8\].*\[2,3,4\]/,
  );
  throws(() => attention(x, x, x, { heads: 3 }), ShapeError, /3 heads/);
  throws(() => attention(x, x, x, { heads: 2, keyMask: device.zeros([2, 3]) }), DtypeError, /keyMask/);
  throws(() => attention(x, x, x, { heads: 2, keyMask: device.zeros([2, 4], 'i32') }), ShapeError, /keyMask/);
});

/** A key mask of sequences with so many real tokens. */
function lengths(lk: number, real: number[]): number[] {
  return real.flatMap((n) => Array.from({ length: lk }, (_, j) => (j < n ? 1 : 0)));
}

test.run();
