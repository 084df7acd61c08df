// Attention of every sequence of queries over every sequence of keys, averaged over the queries: the weights that
// remain. Since mean_i softmax(q_i k^T) V = (mean_i softmax(q_i k^T)) V, nothing of size Lq x Lk has to be kept.

import { record } from '../../autograd.ts';
import { type Device, linearGrid } from '../../device.ts';
import { ShapeError } from '../../errors.ts';
import { gemm } from '../../kernels/gemm.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';

interface Operands {
  q: Tensor;
  k: Tensor;
  queryMask: Tensor;
  keyMask: Tensor;
  /** 1 / real queries of the sequence, 0 for padding: [E Lq]. */
  weights: Tensor;
}

/** A chunk of the sequences of keys: as many as the scores of all queries with them may take memory. */
interface Chunk {
  first: number;
  count: number;
}

/**
 * a[m, e, j] = mean over the real queries i of sequence e of softmax_j(q_ei . k_mj / sqrt(h)), over the real keys j of
 * sequence m. q [E, Lq, h], k [M, Lk, h] f32; queryMask [E, Lq], keyMask [M, Lk] i32, not 0 on real tokens; result
 * [M, E, Lk], 0 on padding (and everywhere for a sequence without a real token). The scores are computed for a chunk
 * of sequences at a time, and again in the backward. Throws ShapeError, DtypeError.
 */
export function meanAttention(q: Tensor, k: Tensor, queryMask: Tensor, keyMask: Tensor): Tensor {
  checkShapes(q, k, queryMask, keyMask);
  const { device } = q;
  const [E, Lq] = q.shape as [number, number, number];
  const [M, Lk] = k.shape as [number, number, number];
  const weights = device.empty([E * Lq], 'f32', 'query weights');
  device.run({
    kernel: 'mean-attention',
    entry: 'weights',
    buffers: { query_mask: queryMask, query_weights: weights },
    params: { entities: E, queries: Lq, keys: Lk, count: 0, first: 0, scale: 0, nan: 0 },
    grid: gridOf(E * Lq),
  });
  const operands = { q, k, queryMask, keyMask, weights };
  const average = device.empty([M, E, Lk], 'f32', 'meanAttention');
  for (const chunk of chunksOf(operands)) {
    device.scope(() => {
      const { shared, buffers } = scores(operands, chunk);
      const lse = device.empty([E * Lq, chunk.count], 'f32', 'log-sum-exp of a chunk');
      device.run({ ...shared, entry: 'row_sums', buffers: { ...buffers, lse }, grid: gridOf(lse.size) });
      device.run({
        ...shared,
        entry: 'average',
        buffers: { ...buffers, lse, average_weights: average },
        grid: gridOf(chunk.count * E * Lk),
      });
    });
  }
  return record(average, [q, k], (dAverage, needs) => backward(operands, dAverage, needs));
}

function backward(operands: Operands, dAverage: Tensor, needs: readonly boolean[]): (Tensor | null)[] {
  const { q, k } = operands;
  const { device } = q;
  const [E, Lq, h] = q.shape as [number, number, number];
  const Lk = k.shape[1]!;
  let dq: Tensor | null = null;
  const dk = needs[1] ? device.empty(k.shape, 'f32', 'd key') : null;
  for (const chunk of chunksOf(operands)) {
    const { first, count } = chunk;
    const before: Tensor | null = dq;
    dq = device.scope(() => {
      const { s, keys, shared, buffers } = scores(operands, chunk);
      device.run({
        ...shared,
        entry: 'gradient',
        buffers: { ...buffers, d_average: dAverage },
        grid: gridOf(E * Lq * count),
      });
      if (dk) {
        const part = device.empty(keys.shape, 'f32', 'd key');
        gemm({ a: s, b: q, c: part, m: count * Lk, n: h, k: E * Lq, transposeA: true });
        device.copy(part, dk, part.size, 0, first * Lk * h);
      }
      if (!needs[0]) return null;
      const sum = device.empty(q.shape, 'f32', 'd query');
      gemm({ a: s, b: keys, c: sum, m: E * Lq, n: h, k: count * Lk, epilogue: { residual: before } });
      return sum;
    });
    before?.release();
  }
  return [dq, dk];
}

/**
 * The products of all queries with a chunk's keys, s [E Lq, count Lk], and what the dispatches of mean-attention.wgsl on
 * the chunk have in common.
 */
function scores({ q, k, keyMask, weights }: Operands, { first, count }: Chunk) {
  const { device } = q;
  const [E, Lq, h] = q.shape as [number, number, number];
  const Lk = k.shape[1]!;
  const keys = device.empty([count * Lk, h], 'f32', 'keys of a chunk');
  device.copy(k, keys, keys.size, first * Lk * h, 0);
  const s = device.empty([E * Lq, count * Lk], 'f32', 'scores of a chunk');
  gemm({ a: q, b: keys, c: s, m: E * Lq, n: count * Lk, k: h, transposeB: true });
  const shared = {
    kernel: 'mean-attention',
    params: { entities: E, queries: Lq, keys: Lk, count, first, scale: h ** -0.5, nan: Number.NaN },
    flops: 5 * s.size,
    bytes: 8 * s.size,
  } as const;
  return { s, keys, shared, buffers: { key_mask: keyMask, query_weights: weights, s } };
}

function gridOf(invocations: number): [number, number, number] {
  return linearGrid(Math.ceil(invocations / 64));
}

/** Scores of a chunk: a CPU's cache holds so many, a GPU is busy with so many. */
function chunkBytes(device: Device): number {
  return Math.min(device.isCpu ? 2 ** 24 : 2 ** 26, device.maxBindingBytes);
}

function chunksOf({ q, k }: Operands): Chunk[] {
  const [M, Lk, h] = k.shape as [number, number, number];
  const bytes = 4 * (q.size / h) * Lk;
  const count = Math.max(1, Math.min(M, Math.floor(chunkBytes(q.device) / bytes)));
  return Array.from({ length: Math.ceil(M / count) }, (_, i) => ({
    first: i * count,
    count: Math.min(count, M - i * count),
  }));
}

function checkShapes(q: Tensor, k: Tensor, queryMask: Tensor, keyMask: Tensor): void {
  checkOperands('meanAttention', { q, k });
  checkOperands('meanAttention', { queryMask, keyMask }, 'i32');
  if (q.rank !== 3 || k.rank !== 3 || q.shape[2] !== k.shape[2]) {
    throw new ShapeError(
      `meanAttention: q (${describe(q)}) and k (${describe(k)}) must be [., ., h] with the same h`,
    );
  }
  for (const [mask, tokens] of [
    [queryMask, q],
    [keyMask, k],
  ] as const) {
    if (`${mask.shape}` !== `${tokens.shape.slice(0, 2)}`) {
      throw new ShapeError(`meanAttention: mask (${describe(mask)}) must be [${tokens.shape.slice(0, 2)}]`);
    }
  }
}
