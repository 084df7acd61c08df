// Mean attention for scoring: each entity's token rows over each mention's keys, without gradients and
// without ever writing a score. The op with gradients is in mean-attention.ts.

import { linearGrid } from '../../device.ts';
import { ShapeError } from '../../errors.ts';
import { mostKeys, raggedMeanAttentionVariant } from '../../kernels/ragged-mean-attention-variants.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';

/**
 * a[m, e, j] = mean over the rows i of entity e of softmax_j(q_i . k_mj / sqrt(h)), over the real keys j of
 * mention m: what meanAttention computes, for entities stored without padding. q [R, h] f32 holds the rows of
 * all entities one after the other; entity e has offsets[e] to offsets[e + 1] - 1. k [M, Lk, h] f32; keyMask [M,
 * Lk] i32, not 0 on real keys. Result [M, E, Lk]: 0 on padded keys, for an entity without rows and for a
 * mention without keys.
 *
 * `offsets` on the host is checked to rise from 0 or more to at most R; a tensor (i32 [E + 1]) is not, and
 * positions beyond q count as its end. Sort mentions by length into batches: a key costs the same padded or
 * not. `pairMask` (u32 [M, E]): pairs on which it is 0 do not count; their results are weights or 0, whatever is
 * cheaper. Throws ShapeError, DtypeError.
 */
export function raggedMeanAttention(
  q: Tensor,
  offsets: Int32Array<ArrayBuffer> | Tensor,
  k: Tensor,
  keyMask: Tensor,
  pairMask: Tensor | null = null,
): Tensor {
  checkShapes(q, k, keyMask);
  const { device } = q;
  const [M, Lk] = k.shape as [number, number, number];
  const E = entitiesOf(q, offsets);
  if (pairMask) checkPairMask(pairMask, [M, E]);
  const average = device.empty([M, E, Lk], 'f32', 'raggedMeanAttention');
  device.scope(() => {
    const starts = offsets instanceof Int32Array ? device.tensor([E + 1], offsets) : offsets;
    const most = mentionsPerPart(average);
    for (let before = 0; before < M; before += most) {
      attend({ q, offsets: starts, k, keyMask, average, pairMask }, before, Math.min(M, before + most));
    }
  });
  return average;
}

interface Operands {
  q: Tensor;
  offsets: Tensor;
  k: Tensor;
  keyMask: Tensor;
  average: Tensor;
  pairMask: Tensor | null;
}

/** Runs the kernel for the mentions `before` to `end` - 1. */
function attend({ q, offsets, k, keyMask, average, pairMask }: Operands, before: number, end: number): void {
  const { device } = q;
  const [R, h] = q.shape as [number, number];
  const [, E, Lk] = average.shape as [number, number, number];
  const variant = raggedMeanAttentionVariant(device, Lk, h);
  const groups = Math.ceil((end - before) / variant.mentions);
  // Whatever the mentions are: the bits of one's weights do not depend on the others.
  const run = Math.min(E, Math.ceil((variant.rows * E) / R));
  // A binding begins at an aligned byte, perhaps a little before the weights of these mentions.
  const skip = (before * E * Lk) % (device.bindingAlignment / 4);
  const weights = (end - before) * E * Lk;
  device.run({
    kernel: variant.kernel,
    entry: 'ragged_mean_attention',
    constants: { ...variant.constants, VECTOR: h % 4 === 0, MASKED: pairMask !== null },
    buffers: {
      q,
      offsets,
      k,
      key_mask: keyMask,
      average_weights: average.range(before * E * Lk - skip, skip + weights),
      pair_mask: pairMask ?? device.dummy(0),
    },
    params: {
      rows: R,
      entities: E,
      mentions: end,
      before,
      skip,
      keys: Lk,
      width: h,
      run,
      scale: h ** -0.5,
      nan: Number.NaN,
    },
    grid: linearGrid(groups * Math.ceil(E / run)),
    flops: (end - before) * R * Lk * (2 * h + 5),
    bytes: 4 * (q.size + (end - before) * Lk * h + weights),
  });
}

/**
 * Mentions whose average weights can be bound at once. A single one's that cannot are the dispatcher's to
 * refuse.
 */
function mentionsPerPart(average: Tensor): number {
  const { device, shape, bytes } = average;
  if (bytes <= device.maxBindingBytes) return shape[0]!;
  const fitting = Math.floor((device.maxBindingBytes - device.bindingAlignment) / (bytes / shape[0]!));
  return Math.max(1, fitting);
}

/** Number of entities. Throws unless `offsets` says where the rows of each begin. */
function entitiesOf(q: Tensor, offsets: Int32Array | Tensor): number {
  if (!(offsets instanceof Int32Array)) {
    checkOperands('raggedMeanAttention', { offsets }, 'i32');
    if (offsets.rank !== 1 || offsets.size < 2) {
      throw new ShapeError(`raggedMeanAttention: offsets (${describe(offsets)}) must be [entities + 1]`);
    }
    return offsets.size - 1;
  }
  if (offsets.length < 2) {
    throw new ShapeError(
      `raggedMeanAttention: offsets holds ${offsets.length} positions, expected entities + 1`,
    );
  }
  const wrong = offsets.findIndex((row, e) => row < (e === 0 ? 0 : offsets[e - 1]!) || row > q.shape[0]!);
  if (wrong >= 0) {
    throw new ShapeError(
      `raggedMeanAttention: offsets[${wrong}] is ${offsets[wrong]}; positions must rise from 0 to the rows of ` +
        `q (${describe(q)})`,
    );
  }
  return offsets.length - 1;
}

function checkPairMask(pairMask: Tensor, pairs: readonly number[]): void {
  checkOperands('raggedMeanAttention', { pairMask }, 'u32');
  if (`${pairMask.shape}` !== `${pairs}`)
    throw new ShapeError(`raggedMeanAttention: pairMask (${describe(pairMask)}) must be [${pairs}]`);
}

function checkShapes(q: Tensor, k: Tensor, keyMask: Tensor): void {
  checkOperands('raggedMeanAttention', { q, k });
  checkOperands('raggedMeanAttention', { keyMask }, 'i32');
  if (q.rank !== 2 || k.rank !== 3 || q.shape[1] !== k.shape[2]) {
    throw new ShapeError(
      `raggedMeanAttention: q (${describe(q)}) must be [rows, h] and k (${describe(k)}) [mentions, keys, h]`,
    );
  }
  if (k.shape[1]! > mostKeys) {
    throw new ShapeError(`raggedMeanAttention: k (${describe(k)}) has more than ${mostKeys} keys a mention`);
  }
  if (`${keyMask.shape}` !== `${k.shape.slice(0, 2)}`) {
    throw new ShapeError(
      `raggedMeanAttention: keyMask (${describe(keyMask)}) must be [${k.shape.slice(0, 2)}]`,
    );
  }
}
