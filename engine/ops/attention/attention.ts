// Scaled dot-product attention as one op: softmax(q k^T / sqrt(head size) + masks) v for every head,
// forward and backward without ever writing an [L, L] matrix.

import { record, willRecord } from '../../autograd.ts';
import type { Device } from '../../device.ts';
import { DtypeError, ShapeError } from '../../errors.ts';
import { attentionBackwardVariant, attentionVariants } from '../../kernels/attention-variants.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';

export interface AttentionOptions {
  heads: number;
  /** Query i sees the keys 0 to i. */
  causal?: boolean;
  /** i32 or u32 [batch, Lk]; a key with 0 is attended by no query. */
  keyMask?: Tensor;
}

interface Sizes {
  batch: number;
  lq: number;
  lk: number;
  heads: number;
  headSize: number;
  width: number;
  scale: number;
}

const largestHeadSize = 128;

/**
 * q [batch, Lq, heads * headSize], k and v [batch, Lk, heads * headSize] -> [batch, Lq, heads * headSize]. f32;
 * head size at most 128. A query all of whose keys are masked gives zeros. Throws ShapeError or DtypeError.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const sizes = checkAttention(q, k, v, options);
  const { device } = q;
  const out = device.empty(q.shape, 'f32', 'attention');
  const lse = device.empty([sizes.batch, sizes.heads, sizes.lq], 'f32', 'attention log-sum-exp');
  const variants = attentionVariants(device, sizes.headSize);
  const { heads, headSize, batch, lq, lk } = sizes;
  const bucket = (n: number) => Math.ceil(Math.log2(n));
  const shapeClass = `attention ${headSize} ${bucket(lq)} ${bucket(lk)} ${bucket(batch * heads)}`;
  const label = device.tuner.choose(shapeClass, Object.keys(variants), (candidate) => {
    const like = (tensor: Tensor) => device.empty(tensor.shape, 'f32', 'tuning');
    const trial = { q: like(q), k: like(k), v: like(v), out: like(q), lse: like(lse) };
    forward(device, trial, sizes, { heads }, variants[candidate]!);
  });
  forward(device, { q, k, v, out, lse }, sizes, options, variants[label]!);
  if (!willRecord(q, k, v)) lse.release();
  return record(out, [q, k, v], (dout, needs) =>
    backward(dout, { q, k, v, out, lse }, sizes, options, needs),
  );
}

type Variant = ReturnType<typeof attentionVariants>[string];
type Operands = Record<'q' | 'k' | 'v' | 'out' | 'lse', Tensor>;

function forward(
  device: Device,
  operands: Operands,
  sizes: Sizes,
  options: AttentionOptions,
  variant: Variant,
): void {
  const { batch, lq, lk, heads, headSize, width, scale } = sizes;
  device.run({
    kernel: variant.kernel,
    entry: 'attention',
    constants: { ...variant.constants, ...masks(options), HEAD_SIZE: headSize, ...vector(variant, headSize) },
    buffers: { ...operands, key_mask: options.keyMask ?? device.dummy() },
    params: {
      heads,
      lq,
      lk,
      scale,
      q_stride: width,
      k_stride: width,
      v_stride: width,
      o_stride: width,
      q_offset: 0,
      k_offset: 0,
      v_offset: 0,
    },
    grid: [Math.ceil(lq / variant.queries), heads, batch],
    flops: 4 * batch * heads * lq * lk * headSize,
    bytes: 4 * (operands.q.size * 2 + operands.k.size * 2),
  });
}

function backward(
  dout: Tensor,
  { q, k, v, out, lse }: Operands,
  sizes: Sizes,
  options: AttentionOptions,
  needs: readonly boolean[],
): (Tensor | null)[] {
  const { device } = q;
  const { batch, lq, lk, heads, headSize, scale } = sizes;
  const variant = attentionBackwardVariant(device, headSize);
  const params = { heads, lq, lk, scale };
  const dots = device.empty(lse.shape, 'f32', 'attention dots');
  device.run({
    kernel: variant.dots.kernel,
    entry: 'row_dots',
    constants: { ...variant.dots.constants, HEAD_SIZE: headSize, VECTOR: headSize % 4 === 0 },
    buffers: { q: out, dout, first_gradient: dots },
    params,
    grid: [Math.ceil(lq / variant.dots.rows), heads, batch],
  });
  const key_mask = options.keyMask ?? device.dummy();
  const run = (
    entry: 'queries' | 'keys',
    gradients: Record<'first_gradient' | 'second_gradient', Tensor>,
  ) => {
    const isOfQueries = entry === 'queries';
    const shared = {
      entry,
      constants: { ...variant.constants, ...masks(options), HEAD_SIZE: headSize, VECTOR: headSize % 4 === 0 },
      params,
      grid: [Math.ceil((isOfQueries ? lq : lk) / variant.rows), heads, batch],
      flops: (isOfQueries ? 6 : 8) * batch * heads * lq * lk * headSize,
    } as const;
    const buffers = { lse, dots, key_mask, ...gradients };
    if (variant.kernel === 'attention-backward-subgroup') {
      const sides = isOfQueries
        ? { own_a: q, own_b: dout, other_a: k, other_b: v }
        : { own_a: k, own_b: v, other_a: q, other_b: dout };
      device.run({ ...shared, kernel: variant.kernel, buffers: { ...sides, ...buffers } });
    } else {
      device.run({ ...shared, kernel: variant.kernel, buffers: { q, k, v, dout, ...buffers } });
    }
  };
  const dq = needs[0] ? device.empty(q.shape, 'f32', 'd query') : null;
  if (dq) run('queries', { first_gradient: dq, second_gradient: device.dummy(1) });
  if (!needs[1] && !needs[2]) return [dq, null, null];
  const dk = device.empty(k.shape, 'f32', 'd key');
  const dv = device.empty(v.shape, 'f32', 'd value');
  run('keys', { first_gradient: dk, second_gradient: dv });
  return [dq, dk, dv];
}

function masks({ causal, keyMask }: AttentionOptions) {
  return { CAUSAL: causal ?? false, HAS_KEY_MASK: keyMask !== undefined };
}

function vector(variant: Variant, headSize: number) {
  return variant.kernel === 'attention-tiled' ? {} : { VECTOR: headSize % 4 === 0 };
}

function checkAttention(q: Tensor, k: Tensor, v: Tensor, { heads, keyMask }: AttentionOptions): Sizes {
  checkOperands('attention', { q, k, v });
  const [batch, lq, width] = q.shape;
  const [kBatch, lk, kWidth] = k.shape;
  const fits =
    q.rank === 3 && k.rank === 3 && `${k.shape}` === `${v.shape}` && batch === kBatch && width === kWidth;
  if (!fits) {
    throw new ShapeError(
      `attention: q (${describe(q)}), k (${describe(k)}) and v (${describe(v)}) do not fit`,
    );
  }
  const headSize = width! / heads;
  if (!Number.isInteger(headSize) || headSize > largestHeadSize) {
    throw new ShapeError(
      `attention: width ${width} of q (${describe(q)}) over ${heads} heads must be a whole head size up to ${largestHeadSize}`,
    );
  }
  if (keyMask) {
    if (keyMask.dtype !== 'i32' && keyMask.dtype !== 'u32') {
      throw new DtypeError(`attention: keyMask (${describe(keyMask)}) must be i32 or u32`);
    }
    if (`${keyMask.shape}` !== `${[batch, lk]}`) {
      throw new ShapeError(
        `attention: keyMask (${describe(keyMask)}) must be [${batch}, ${lk}] for k (${describe(k)})`,
      );
    }
  }
  return { batch: batch!, lq: lq!, lk: lk!, heads, headSize, width: width!, scale: 1 / Math.sqrt(headSize) };
}
