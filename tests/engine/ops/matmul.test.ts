// Products, linear and feed-forward layers against a reference in float64, by all kernels, and their gradients.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Device, openDevice } from '../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../engine/errors.ts';
import {
  type GemmSizes,
  type GemmVariant,
  gemmVariants,
  rowsOf,
} from '../../../engine/kernels/gemm-variants.ts';
import { feedForward } from '../../../engine/ops/feed-forward.ts';
import { linear } from '../../../engine/ops/linear.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { pretend } from '../../support/adapter.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';
import { normalCdf } from '../../support/normal-cdf.ts';
import { normal } from '../../support/random.ts';

/** C[m, n] in float64 of operands stored in either order. */
function product(
  a: Float64Array,
  b: Float64Array,
  m: number,
  n: number,
  k: number,
  tA: boolean,
  tB: boolean,
) {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let l = 0; l < k; l++) total += a[tA ? l * m + i : i * k + l]! * b[tB ? j * k + l : l * n + j]!;
      c[i * n + j] = total;
    }
  }
  return c;
}

const sizes: [number, number, number][] = [
  [1, 1, 1],
  [2, 3, 5],
  [7, 1, 31],
  [1, 13, 64],
  [31, 33, 32],
  [32, 32, 32],
  [33, 31, 63],
  [64, 65, 7],
  // In fours, where other kernels run on a CPU: a block of k, several, and parts of one; narrow and wide.
  [36, 64, 64],
  [8, 68, 132],
  [12, 32, 96],
  [772, 8, 4],
];

for (const [transposeA, transposeB] of [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const) {
  const name = `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
  test(`matmul ${name}: values and gradients at odd sizes`, async () => {
    for (const [m, n, k] of sizes) {
      await checkGradients({
        op: (a, b) => matmul(a, b, { transposeA, transposeB }),
        reference: (a, b) => product(a, b, m, n, k, transposeA, transposeB),
        shapes: [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]],
        probes: 5,
      });
    }
  });
}

test('batched matmul: values and gradients', async () => {
  const [batch, m, n, k] = [3, 5, 7, 11];
  await checkGradients({
    op: (a, b) => matmul(a, b, { transposeB: true }),
    reference: (a, b) =>
      Array.from({ length: batch }, (_, i) => [
        ...product(
          a.slice(i * m * k, (i + 1) * m * k),
          b.slice(i * n * k, (i + 1) * n * k),
          m,
          n,
          k,
          false,
          true,
        ),
      ]).flat(),
    shapes: [
      [batch, m, k],
      [batch, n, k],
    ],
  });
});

const activations = {
  quickGelu: (v: number) => v / (1 + Math.exp(-1.702 * v)),
  gelu: (v: number) => v * normalCdf(v),
};

test('linear with bias and residual: values and gradients', async () => {
  for (const [rows, outputs, inputs] of [
    [1, 1, 1],
    [5, 33, 7],
    [37, 17, 65],
    [36, 36, 68],
    [8, 72, 200],
  ] as const) {
    await checkGradients({
      op: (x, w, b, r) => linear(x, w, b, { residual: r }),
      reference: (x, w, b, r) =>
        product(x, w, rows, outputs, inputs, false, true).map((v, i) => v + b[i % outputs]! + r[i]!),
      shapes: [[rows, inputs], [outputs, inputs], [outputs], [rows, outputs]],
      probes: 6,
    });
  }
});

for (const activation of ['quickGelu', 'gelu'] as const)
  test(`feedForward with ${activation}: values and gradients of all weights`, async () => {
    await checkFeedForward(activation, 13, 11, 37);
    await checkFeedForward(activation, 12, 12, 72);
    await checkFeedForward(activation, 7, 64, 128);
  });

test('feedForward without a residual: values and gradients', async () => {
  await checkGradients({
    op: (x, w1, b1, w2, b2) =>
      feedForward(x, { weight: w1, bias: b1 }, { weight: w2, bias: b2 }, null, 'gelu'),
    reference: (x, w1, b1, w2, b2) => {
      const u = product(x, w1, 5, 9, 6, false, true).map((v, i) => activations.gelu(v + b1[i % 9]!));
      return product(u, w2, 5, 7, 9, false, true).map((v, i) => v + b2[i % 7]!);
    },
    shapes: [[5, 6], [9, 6], [9], [7, 9], [7]],
    tolerance: 5e-5,
  });
});

async function checkFeedForward(
  activation: keyof typeof activations,
  rows: number,
  d: number,
  hidden: number,
): Promise<void> {
  await checkGradients({
    op: (x, w1, b1, w2, b2, r) =>
      feedForward(x, { weight: w1, bias: b1 }, { weight: w2, bias: b2 }, r, activation),
    reference: (x, w1, b1, w2, b2, r) => {
      const u = product(x, w1, rows, hidden, d, false, true).map((v, i) =>
        activations[activation](v + b1[i % hidden]!),
      );
      return product(u, w2, rows, d, hidden, false, true).map((v, i) => v + b2[i % d]! + r[i]!);
    },
    shapes: [[rows, d], [hidden, d], [hidden], [d, hidden], [d], [rows, d]],
    tolerance: 5e-5,
  });
}

/** C[m, n] as one of the kernels computes it, of the same operands for all. */
function runVariant(variant: GemmVariant, sizes: GemmSizes, transposeB: boolean): Promise<Float32Array> {
  const { m, n, k, transposeA, vectorA, vectorB } = sizes;
  const a = device.tensor([m, k], normal(m * k, 1));
  const b = device.tensor([n, k], normal(n * k, 2));
  const c = device.empty([m, n], 'f32', 'product');
  const [lda, ldb] = [transposeA ? m : k, transposeB ? k : n];
  const run = rowsOf(variant, sizes);
  device.run({
    kernel: variant.kernel,
    entry: 'matmul',
    constants: {
      ...variant.constants,
      TRANS_A: transposeA,
      TRANS_B: transposeB,
      VECTOR_A: vectorA,
      VECTOR_B: vectorB,
    },
    buffers: { a, b, c, bias: device.dummy(0), residual: device.dummy(1), pre: device.dummy(2) },
    params: { m, n, k, lda, ldb, ldc: n, a_batch: 0, b_batch: 0, c_batch: 0, run, epilogue: 0 },
    grid: [Math.ceil(n / variant.tileN), Math.ceil(m / run), 1],
  });
  return c.read() as Promise<Float32Array>;
}

for (const [adapter, variantsOf] of [
  ['this adapter', device],
  ['a GPU', { isCpu: false, gpu: device.gpu } as Device],
] as const)
  test(`all kernels that may run a product on ${adapter} give the same bits`, async () => {
    for (const [m, n, k, transposeA, transposeB] of [
      [67, 45, 131, false, true],
      [35, 76, 136, false, true],
      [35, 36, 192, false, false],
      [768, 36, 72, true, false],
      // Large enough for the longer panel.
      [1100, 324, 288, false, true],
      [800, 320, 480, true, false],
    ] as const) {
      const [vectorA, vectorB] = [(transposeA ? m : k) % 4 === 0, (transposeB ? k : n) % 4 === 0];
      const sizes = { m, n, k, batch: 1, transposeA, vectorA, vectorB };
      // Operands that cannot be loaded in fours have other kernels.
      const plain = { ...sizes, vectorA: false, vectorB: false };
      const results = await Promise.all(
        [sizes, plain].flatMap((s) =>
          Object.values(gemmVariants(variantsOf, s)).map((variant) => runVariant(variant, s, transposeB)),
        ),
      );
      for (const result of results) assert.equal(result, results[0], `${m} x ${n} x ${k}`);
    }
  });

test('the kernels for GPUs, with workgroup memory, are right on this adapter too', () =>
  pretend(false, async () => {
    for (const [m, n, k] of sizes) {
      await checkGradients({
        op: (a, b) => matmul(a, b),
        reference: (a, b) => product(a, b, m, n, k, false, false),
        shapes: [
          [m, k],
          [k, n],
        ],
        probes: 5,
      });
    }
    await checkFeedForward('gelu', 13, 11, 37);
  }));

test('operands larger than a binding are bound in parts', async () => {
  const small = await openDevice({ maxBindingBytes: 100_000 });
  for (const [m, n, k] of [
    [130, 333, 97],
    [260, 256, 128],
  ] as const)
    await checkParts(small, m, n, k);
  small.destroy();
});

async function checkParts(small: Device, m: number, n: number, k: number): Promise<void> {
  const [x, w] = [normal(m * k, 5), normal(n * k, 6)];
  const run = async (on: typeof device) => {
    const weight = on.tensor([n, k], w);
    const input = on.parameter([m, k], x, 'input');
    const y = linear(input, weight, on.tensor([n], normal(n, 7)));
    const back = matmul(y, weight);
    const outer = matmul(y, input, { transposeA: true });
    return [await y.read(), await back.read(), await outer.read()];
  };
  const [parts, whole] = [await run(small), await run(device)];
  for (const [i, part] of parts.entries()) assertClose(part, whole[i]!, 1e-5, `product ${i}`);
}

test('frozen float16 weights multiply in float32', async () => {
  if (!device.hasF16) return;
  await checkHalfWeights(9, 35, 13);
  await checkHalfWeights(9, 36, 72);
});

async function checkHalfWeights(m: number, n: number, k: number): Promise<void> {
  const w = Float32Array.from({ length: n * k }, (_, i) => ((i * 37) % 64) / 8 - 4);
  const bits = Uint16Array.from(w, halfBits);
  const x = device.tensor([m, k], normal(m * k, 1));
  const half = linear(x, device.tensor([n, k], bits, { dtype: 'f16' }), null);
  const full = linear(x, device.tensor([n, k], w), null);
  assert.equal(await half.read(), await full.read());
}

test('NaN and infinities spread as the sums have it', async () => {
  const a = device.tensor([2, 3], [Number.NaN, 1, 2, Infinity, 1, 2]);
  const c = await matmul(a, device.tensor([3, 2], [1, 2, 3, 4, 5, 6])).read();
  assert.equal([...c].map(String), ['NaN', 'NaN', 'Infinity', 'Infinity']);
});

test('a NaN stays in its row, also where loads in fours and blocks of k pass its end', async () => {
  const [m, n, k] = [8, 36, 68];
  const x = normal(m * k, 1);
  x[2 * k] = Number.NaN;
  const c = await matmul(device.tensor([m, k], x), device.tensor([n, k], normal(n * k, 2)), {
    transposeB: true,
  }).read();
  const broken = Array.from(c, (v, i) => (Number.isNaN(v) ? Math.floor(i / n) : -1)).filter(
    (row) => row >= 0,
  );
  assert.equal(broken, new Array(n).fill(2));
});

test('operands that do not fit are refused by name and shape', () => {
  const a = device.tensor([2, 3], new Float32Array(6), { name: 'left' });
  const b = device.tensor([2, 3], new Float32Array(6), { name: 'right' });
  assert.throws(
    () => matmul(a, b),
    (e: Error) => e instanceof ShapeError && /left \[2,3\].*right \[2,3\]/.test(e.message),
  );
  assert.throws(
    () => linear(a, device.tensor([2, 2], [1, 2, 3, 4]), null),
    (e: Error) => e instanceof ShapeError,
  );
  const ids = device.tensor([2, 3], new Int32Array(6));
  assert.throws(
    () => matmul(ids, b),
    (e: Error) => e instanceof DtypeError,
  );
});

/** Bits of small multiples of 1/8, which float16 holds exactly. */
function halfBits(v: number): number {
  if (v === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(v)));
  const fraction = Math.round((Math.abs(v) / 2 ** exponent - 1) * 1024);
  return (v < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}

test.run();
