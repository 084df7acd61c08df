import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Device, openDevice } from '../../../engine/device.ts';
import { DtypeError, ShapeError } from '../../../engine/errors.ts';
import { feedForward } from '../../../engine/ops/feed-forward.ts';
import { gemmVariants } from '../../../engine/ops/gemm-variants.ts';
import { linear } from '../../../engine/ops/linear.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { pretend } from '../../support/adapter.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';
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

const gelu = (v: number) => v / (1 + Math.exp(-1.702 * v));

test('linear with bias and residual: values and gradients', async () => {
  for (const [rows, outputs, inputs] of [
    [1, 1, 1],
    [5, 33, 7],
    [37, 17, 65],
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

test('feedForward: values and gradients of all weights', checkFeedForward);

async function checkFeedForward(): Promise<void> {
  const [rows, d, hidden] = [13, 11, 37];
  await checkGradients({
    op: (x, w1, b1, w2, b2, r) => feedForward(x, { weight: w1, bias: b1 }, { weight: w2, bias: b2 }, r),
    reference: (x, w1, b1, w2, b2, r) => {
      const u = product(x, w1, rows, hidden, d, false, true).map((v, i) => gelu(v + b1[i % hidden]!));
      return product(u, w2, rows, d, hidden, false, true).map((v, i) => v + b2[i % d]! + r[i]!);
    },
    shapes: [[rows, d], [hidden, d], [hidden], [d, hidden], [d], [rows, d]],
    tolerance: 5e-5,
  });
}

for (const [adapter, variantsOf] of [
  ['this adapter', device],
  ['a GPU', { isCpu: false } as Device],
] as const)
  test(`every variant that tuning may pick on ${adapter} gives the same bits`, async () => {
    const variants = Object.entries(gemmVariants(variantsOf));
    const [m, n, k] = [67, 45, 131];
    const [a, b] = [device.tensor([m, k], normal(m * k, 1)), device.tensor([n, k], normal(n * k, 2))];
    const results = await Promise.all(
      variants.map(([, { kernel, constants, tileM, tileN }]) => {
        const c = device.empty([m, n], 'f32', 'product');
        device.run({
          kernel,
          entry: 'matmul',
          constants: { ...constants, TRANS_B: true },
          buffers: { a, b, c, bias: device.dummy(0), residual: device.dummy(1), pre: device.dummy(2) },
          params: { m, n, k, lda: k, ldb: k, ldc: n, a_batch: 0, b_batch: 0, c_batch: 0, epilogue: 0 },
          grid: [Math.ceil(n / tileN), Math.ceil(m / tileM), 1],
        });
        return c.read();
      }),
    );
    for (const [i, result] of results.entries()) {
      assert.equal(result, results[0], `${variants[i]![0]} against ${variants[0]![0]}`);
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
    await checkFeedForward();
  }));

test('operands larger than a binding are bound in parts', async () => {
  const small = await openDevice({ maxBindingBytes: 100_000 });
  const [m, n, k] = [130, 333, 97];
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
  small.destroy();
});

test('frozen float16 weights multiply in float32', async () => {
  if (!device.hasF16) return;
  const [m, n, k] = [9, 35, 13];
  const w = Float32Array.from({ length: n * k }, (_, i) => ((i * 37) % 64) / 8 - 4);
  const bits = Uint16Array.from(w, halfBits);
  const x = device.tensor([m, k], normal(m * k, 1));
  const half = linear(x, device.tensor([n, k], bits, { dtype: 'f16' }), null);
  const full = linear(x, device.tensor([n, k], w), null);
  assert.equal(await half.read(), await full.read());
});

test('NaN and infinities spread as the sums have it', async () => {
  const a = device.tensor([2, 3], [Number.NaN, 1, 2, Infinity, 1, 2]);
  const c = await matmul(a, device.tensor([3, 2], [1, 2, 3, 4, 5, 6])).read();
  assert.equal([...c].map(String), ['NaN', 'NaN', 'Infinity', 'Infinity']);
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
