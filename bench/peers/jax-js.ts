// The benchmarks as a user of jax-js writes them: compiled with jit, gradients by valueAndGrad, weights [in, out]
// as in JAX. An array is consumed by whatever it is passed to, unless passed as `.ref`.

import {
  blockUntilReady,
  defaultDevice,
  getWebGPUDevice,
  init,
  jit,
  nn,
  numpy as np,
  valueAndGrad,
} from '@jax-js/jax';
import { normal } from '../../tests/support/random.ts';
import {
  attentionSizes,
  type BlockWeight,
  block,
  blockInput,
  blockShapes,
  blockValues,
  blockWeights,
  clipMlp,
  layerNormRows,
  softmaxRows,
  squareMatmul,
} from '../sizes.ts';
import type { PeerJob, PeerJobs } from './peer.ts';

const available = await init('webgpu');
if (!available.includes('webgpu')) throw new Error('jax-js finds no WebGPU');
defaultDevice('webgpu');

const { batch, heads, length, headSize } = attentionSizes;
type Weights = Record<BlockWeight, np.Array>;

export const jaxJobs: PeerJobs = {
  'matmul-1024': () => matmul(squareMatmul),
  'matmul-clip-mlp': () => linear(clipMlp),
  softmax: () => {
    const x = values(softmaxRows.rows, softmaxRows.columns);
    const f = jit((x: np.Array) => nn.softmax(x));
    return job(() => f(x.ref));
  },
  layernorm: () => {
    const { rows, columns } = layerNormRows;
    const [x, weight, bias] = [values(rows, columns), values(columns), values(columns)];
    const f = jit(layerNorm);
    return job(() => f(x.ref, weight.ref, bias.ref));
  },
  'attention-forward': () => {
    const [q, k, v] = [1, 2, 3].map(() => values(batch, length, heads, headSize));
    const f = jit((q: np.Array, k: np.Array, v: np.Array) => nn.dotProductAttention(q, k, v));
    return job(() => f(q!.ref, k!.ref, v!.ref));
  },
  'block-train': () => {
    const x = np.array(blockInput()).reshape([block.batch, block.length, block.width]);
    const weights = Object.fromEntries(blockWeights.map((name) => [name, blockWeight(name)])) as Weights;
    const step = jit(valueAndGrad(blockLoss));
    const refs = () => Object.fromEntries(blockWeights.map((name) => [name, weights[name].ref])) as Weights;
    const run = () => {
      const [loss, gradients] = step(refs(), x.ref);
      return { loss, gradients };
    };
    const loss = async () => {
      const { loss, gradients } = run();
      await blockUntilReady(gradients);
      for (const gradient of Object.values(gradients) as np.Array[]) gradient.dispose();
      return Number(await loss.jsAsync());
    };
    return { ...job(() => run()), loss };
  },
};

/** Queues runs; an array that is disposed of before its work began is never computed, so all are kept until then. */
function job(run: () => np.Array | { loss: np.Array; gradients: unknown }): PeerJob {
  let pending: np.Array[] = [];
  const queue = (runs: number) => {
    for (let i = 0; i < runs; i++) {
      const result = run();
      if (result instanceof np.Array) pending.push(result);
      else pending.push(result.loss, ...(Object.values(result.gradients as object) as np.Array[]));
    }
  };
  const finish = async () => {
    await blockUntilReady(pending);
    await getWebGPUDevice().queue.onSubmittedWorkDone();
    for (const array of pending) array.dispose();
    pending = [];
  };
  return { queue, finish };
}

function matmul({ m, k, n }: typeof squareMatmul): PeerJob {
  const [a, b] = [values(m, k), values(k, n)];
  const f = jit((a: np.Array, b: np.Array) => np.matmul(a, b));
  return job(() => f(a.ref, b.ref));
}

function linear({ m, k, n }: typeof clipMlp): PeerJob {
  const [x, weight, bias] = [values(m, k), values(k, n), values(n)];
  const f = jit((x: np.Array, weight: np.Array, bias: np.Array) => np.matmul(x, weight).add(bias));
  return job(() => f(x.ref, weight.ref, bias.ref));
}

function layerNorm(x: np.Array, weight: np.Array, bias: np.Array): np.Array {
  return nn.standardize(x).mul(weight).add(bias);
}

/** The weights and their input are consumed. */
function blockLoss(weights: Weights, x: np.Array): np.Array {
  const { width, heads } = block;
  const dense = (x: np.Array, name: 'q' | 'k' | 'v' | 'o' | 'fc1' | 'fc2') =>
    np.matmul(x, weights[`${name}.weight`]).add(weights[`${name}.bias`]);
  const norm = (x: np.Array, name: 'norm1' | 'norm2') =>
    layerNorm(x, weights[`${name}.weight`], weights[`${name}.bias`]);
  const split = (x: np.Array) => x.reshape([block.batch, block.length, heads, width / heads]);
  const y = norm(x.ref, 'norm1');
  const mixed = nn.dotProductAttention(
    split(dense(y.ref, 'q')),
    split(dense(y.ref, 'k')),
    split(dense(y, 'v')),
  );
  const middle = x.add(dense(mixed.reshape([block.batch, block.length, width]), 'o'));
  const hidden = dense(norm(middle.ref, 'norm2'), 'fc1');
  const active = hidden.ref.mul(nn.sigmoid(hidden.mul(1.702)));
  return np.mean(np.square(middle.add(dense(active, 'fc2'))));
}

function blockWeight(name: BlockWeight): np.Array {
  const [rows, columns] = blockShapes[name] as readonly number[];
  const flat = blockValues(name);
  if (columns === undefined) return np.array(flat);
  const transposed = new Float32Array(flat.length);
  flat.forEach((value, i) => {
    transposed[(i % columns) * rows! + Math.floor(i / columns)] = value;
  });
  return np.array(transposed).reshape([columns, rows!]);
}

function values(...shape: number[]): np.Array {
  return np
    .array(
      normal(
        shape.reduce((product, n) => product * n, 1),
        1,
      ),
    )
    .reshape(shape);
}
