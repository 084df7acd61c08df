// Matrix multiplication as the other ops use it: C = epilogue(op(A) op(B)) on operands given by strides.
// Picks the kernel variant for the adapter and shape and binds operands in parts where they are too
// large. Not differentiable by itself: matmul.ts, linear.ts and feed-forward.ts are.

import type { ConstantsOf } from '../../shaders/index.ts';
import type { Device } from '../device.ts';
import type { Tensor } from '../tensor.ts';
import {
  type GemmKernel,
  type GemmSizes,
  type GemmVariant,
  gemmVariants,
  rowsOf,
  vectorised,
} from './gemm-variants.ts';

/** The kernels' numbers for what is applied to each element. */
const activations = { none: 0, quickGelu: 1, quickGeluBackward: 2, gelu: 3, geluBackward: 4 } as const;

/** What happens to each element of the product before it is stored, in this order. */
interface Epilogue {
  /** Added to every row, [n]. */
  bias?: Tensor | null;
  /** Receives the value before an activation, or holds it for one's derivative; shaped like C. */
  pre?: Tensor | null;
  /** `quickGelu`: x sigmoid(1.702 x); `gelu`: x Phi(x). `...Backward`: times the derivative of that at `pre`. */
  activation?: keyof typeof activations;
  /** Added last, shaped like C. */
  residual?: Tensor | null;
}

/** A product C[m, n] = A[m, k] B[k, n], or a batch of them; row strides in elements. */
interface Gemm {
  a: Tensor;
  b: Tensor;
  c: Tensor;
  m: number;
  n: number;
  k: number;
  /** A is stored [k, m]. */
  transposeA?: boolean;
  /** B is stored [n, k]. */
  transposeB?: boolean;
  /** Number of products, and elements from one matrix to the next (0: the operand is shared). */
  batch?: number;
  aBatch?: number;
  bBatch?: number;
  epilogue?: Epilogue;
}

/** One dispatch of a product: which part of each operand it sees. */
interface Part {
  m0: number;
  m: number;
  n0: number;
  n: number;
  k0: number;
  k: number;
}

/** Part boundaries keep every offset a multiple of 256 bytes, the coarsest alignment that devices ask for. */
const partStep = 64;

/** Records the product. Operands are f32; B may be f16. */
export function gemm(product: Gemm): void {
  const variant = pickVariant(product);
  for (const part of partsOf(product)) runPart(product, part, variant);
}

/** Candidates are measured on as many rows as make a millisecond on a fast adapter. */
const trialFlops = 2e10;
/** Products whose trial would need more memory run the default. */
const trialBytes = 2 ** 27;
/**
 * So do those that take less time than recording them: measuring the hundreds of their shapes would cost more than it
 * gains.
 */
const tunedFlops = 5e8;

function pickVariant(product: Gemm): GemmVariant {
  const { a, b, m, n, k, transposeA = false, transposeB = false, batch = 1 } = product;
  const { device } = a;
  const variants = gemmVariants(device, sizesOf(product));
  const rows = trialRows(product);
  const bytes = 4 * batch * (rows * k + k * n + rows * n);
  const isTuned =
    2 * batch * m * n * k >= tunedFlops && bytes <= Math.min(trialBytes, device.maxBindingBytes);
  if (!isTuned) return Object.values(variants)[0]!;
  const bucket = (x: number) => Math.ceil(Math.log2(x));
  const transposes = `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
  const shapeClass = `matmul ${transposes} ${b.dtype} ${bucket(m)} ${bucket(n)} ${bucket(k)} ${bucket(batch)}`;
  const label = device.tuner.choose(shapeClass, Object.keys(variants), (candidate) => {
    const { dtype } = b;
    runTrial(device, { m: rows, n, k, transposeA, transposeB, batch, dtype }, variants[candidate]!);
  });
  return variants[label]!;
}

/** Rows of a product that a trial has: as many as take long enough. */
function trialRows({ m, n, k, batch = 1 }: Gemm): number {
  return Math.max(1, Math.min(m, Math.floor(trialFlops / (2 * n * k * batch))));
}

/** What decides which kernels can run a product. */
function sizesOf(product: Gemm): GemmSizes {
  const { m, n, k, transposeA = false, transposeB = false, batch = 1 } = product;
  const vectorA = vectorised(transposeA ? m : k, product.aBatch ?? m * k);
  const vectorB = vectorised(transposeB ? k : n, product.bBatch ?? k * n);
  return { m, n, k, batch, transposeA, vectorA, vectorB };
}

type TrialSizes = Pick<Gemm, 'm' | 'n' | 'k'> &
  Required<Pick<Gemm, 'transposeA' | 'transposeB' | 'batch'>> & { dtype: Tensor['dtype'] };

/**
 * Runs a variant on a product like the one met. Sizes are rounded up to fours: all classes of one transpose
 * then share a compiled kernel, and compiling is what a trial costs most.
 */
function runTrial(device: Device, { dtype, batch, ...like }: TrialSizes, variant: GemmVariant): void {
  const fours = (x: number) => 4 * Math.ceil(x / 4);
  const [m, n, k] = [fours(like.m), fours(like.n), fours(like.k)];
  const a = device.empty([batch, m, k], 'f32', 'tuning');
  const b = device.empty([batch, k, n], dtype, 'tuning');
  const c = device.empty([batch, m, n], 'f32', 'tuning');
  runPart({ ...like, a, b, c, m, n, k, batch }, { m0: 0, m, n0: 0, n, k0: 0, k }, variant);
}

/** The whole product, or parts of it whose operands each fit into one binding. */
function partsOf({ a, b, c, m, n, k, transposeA, transposeB, batch = 1 }: Gemm): Part[] {
  const whole = { m0: 0, m, n0: 0, n, k0: 0, k };
  const most = a.device.maxBindingBytes;
  if (batch > 1 || Math.max(a.bytes, b.bytes, c.bytes) <= most) return [whole];
  // An operand stored by rows of k is cut along k, the others along their own rows.
  const kSplit = Math.max(transposeA ? a.bytes : 0, transposeB ? 0 : b.bytes);
  const nSplit = transposeB ? b.bytes : 0;
  const mSplit = Math.max(transposeA ? 0 : a.bytes, c.bytes);
  const mStep = transposeA ? partStep : Math.max(rowStep(k), rowStep(n));
  const cut = (length: number, bytes: number, step: number) =>
    bytes > most ? ranges(length, rowsThatFit(bytes / length, most, step)) : ranges(length, length);
  return cut(k, kSplit, partStep).flatMap(([k0, k]) =>
    cut(n, nSplit, partStep).flatMap(([n0, n]) =>
      cut(m, mSplit, mStep).map(([m0, m]) => ({ m0, m, n0, n, k0, k })),
    ),
  );
}

function rowsThatFit(bytesPerRow: number, most: number, step: number): number {
  return Math.max(step, Math.floor(most / bytesPerRow / step) * step);
}

/** Fewest rows of so many elements that end on a part boundary. */
function rowStep(columns: number): number {
  let step = partStep;
  while (step > 1 && (columns * step) % (2 * partStep) === 0) step /= 2;
  return step;
}

function ranges(length: number, step: number): [first: number, count: number][] {
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => [
    i * step,
    Math.min(step, length - i * step),
  ]);
}

function runPart(product: Gemm, part: Part, variant: GemmVariant): void {
  const { a, b, c, transposeA = false, transposeB = false, batch = 1, epilogue = {} } = product;
  const { m, n, k } = part;
  const { device } = a;
  const lda = transposeA ? product.m : product.k;
  const ldb = transposeB ? product.k : product.n;
  const ldc = product.n;
  const aBatch = product.aBatch ?? product.m * product.k;
  const bBatch = product.bBatch ?? product.k * product.n;
  const aFirst = transposeA ? part.k0 * lda + part.m0 : part.m0 * lda + part.k0;
  const bFirst = transposeB ? part.n0 * ldb + part.k0 : part.k0 * ldb + part.n0;
  const cFirst = part.m0 * ldc + part.n0;
  /** Elements from the first to the last of a part with `rows` rows of `columns`. */
  const span = (rows: number, columns: number, ld: number, stride: number) =>
    (batch - 1) * stride + (rows - 1) * ld + columns;
  const cSpan = span(m, n, ldc, product.m * product.n);
  const inC = (tensor: Tensor) => tensor.range(cFirst, cSpan);
  const lastOfSum = part.k0 + k === product.k;
  const { bias, pre, activation = 'none', residual } = lastOfSum ? epilogue : {};
  const savesPre = (activation === 'quickGelu' || activation === 'gelu') && pre;
  const sizes = { ...sizesOf(product), m, n, k };
  const run = rowsOf(variant, sizes);
  device.run({
    kernel: variant.kernel,
    entry: 'matmul',
    constants: {
      ...variant.constants,
      ...(b.dtype === 'f16' ? { Weight: 'f16' as const } : {}),
      TRANS_A: transposeA,
      TRANS_B: transposeB,
      ...lengthConstants(variant, part),
      VECTOR_A: sizes.vectorA,
      VECTOR_B: sizes.vectorB,
      ACTIVATION: activations[activation],
    },
    buffers: {
      a: a.range(aFirst, transposeA ? span(k, m, lda, aBatch) : span(m, k, lda, aBatch)),
      b: b.range(bFirst, transposeB ? span(n, k, ldb, bBatch) : span(k, n, ldb, bBatch)),
      c: inC(c),
      ...fillers(device, {
        bias: bias ? bias.range(part.n0, n) : null,
        residual: residual ? inC(residual) : null,
        pre: pre ? inC(pre) : null,
      }),
    },
    params: {
      m,
      n,
      k,
      lda,
      ldb,
      ldc,
      a_batch: aBatch,
      b_batch: bBatch,
      c_batch: product.m * product.n,
      run,
      epilogue: (bias ? 1 : 0) + (savesPre ? 2 : 0) + (residual ? 4 : 0) + (part.k0 > 0 ? 8 : 0),
    },
    grid: [Math.ceil(n / variant.tileN), Math.ceil(m / run), batch],
    flops: 2 * batch * m * n * k,
    bytes: 4 * batch * (m * k + k * n + m * n),
  });
}

/** Constants that leave code out of a kernel for which the sums are too short, or whole. */
function lengthConstants({ kernel, block }: GemmVariant, { k, k0 }: Part): ConstantsOf<GemmKernel> {
  if (block) return { CONTINUES: k > block || k0 > 0 };
  return kernel.startsWith('matmul-tiled') ? {} : { TAIL: k % 4 !== 0 };
}

/** The kernel declares its epilogue operands whether it uses them or not; unused ones get a small buffer. */
function fillers<T>(
  device: Device,
  { bias, residual, pre }: Readonly<Record<'bias' | 'residual' | 'pre', T | null>>,
) {
  return {
    bias: bias ?? device.dummy(0),
    residual: residual ?? device.dummy(1),
    pre: pre ?? device.dummy(2),
  };
}
