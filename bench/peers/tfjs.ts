// The benchmarks as a user of TensorFlow.js writes them on its WebGPU backend: eager ops in tidy, gradients by
// variableGrads, weights [in, out] as in its layers.

import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
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
import { loadTfjs } from './tfjs-bundle.ts';

const tf = await loadTfjs();
if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs finds no WebGPU');
await tf.ready();

const { batch, heads, length, headSize } = attentionSizes;
type Weights = Record<BlockWeight, Variable>;

export const tfjsJobs: PeerJobs = {
  'matmul-1024': () => {
    const { m, k, n } = squareMatmul;
    const [a, b] = [values(m, k), values(k, n)];
    return job(() => tf.matMul(a, b));
  },
  'matmul-clip-mlp': () => {
    const { m, k, n } = clipMlp;
    const [x, weight, bias] = [values(m, k), values(k, n), values(n)];
    return job(() => tf.add(tf.matMul(x, weight), bias));
  },
  softmax: () => {
    const x = values(softmaxRows.rows, softmaxRows.columns);
    return job(() => tf.softmax(x));
  },
  layernorm: () => {
    const { rows, columns } = layerNormRows;
    const [x, weight, bias] = [values(rows, columns), values(columns), values(columns)];
    return job(() => layerNorm(x, weight, bias));
  },
  'attention-forward': () => {
    const [q, k, v] = [1, 2, 3].map(() => values(batch, heads, length, headSize));
    return job(() => attention(q!, k!, v!));
  },
  'block-train': () => {
    const x = tf.tensor(blockInput(), [block.batch * block.length, block.width]);
    const weights = Object.fromEntries(blockWeights.map((name) => [name, blockWeight(name)])) as Weights;
    const run = () => tf.variableGrads(() => blockLoss(x, weights));
    const loss = async () => Number(await tf.tidy(() => run().value).data());
    return { ...job(() => run().value), loss };
  },
};

/** Work is done in the order it was recorded: reading one element of the last result waits for all. */
function job(run: () => Tensor): PeerJob {
  let last: Tensor | null = null;
  const queue = (runs: number) => {
    for (let i = 0; i < runs; i++) {
      last?.dispose();
      last = tf.tidy(() => {
        const y = run();
        return tf.slice(tf.reshape(y, [y.size]), [0], [1]);
      });
    }
  };
  const finish = async () => {
    await last?.data();
  };
  return { queue, finish };
}

function layerNorm(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), weight), bias);
}

/** q, k, v [batch, heads, length, head size]. */
function attention(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headSize));
  return tf.matMul(tf.softmax(scores), v);
}

function blockLoss(x: Tensor, weights: Weights): Scalar {
  const { batch, length, width, heads } = block;
  const dense = (x: Tensor, name: 'q' | 'k' | 'v' | 'o' | 'fc1' | 'fc2') =>
    tf.add(tf.matMul(x, weights[`${name}.weight`]), weights[`${name}.bias`]);
  const norm = (x: Tensor, name: 'norm1' | 'norm2') =>
    layerNorm(x, weights[`${name}.weight`], weights[`${name}.bias`]);
  const split = (x: Tensor) =>
    tf.transpose(tf.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
  const y = norm(x, 'norm1');
  const mixed = attention(split(dense(y, 'q')), split(dense(y, 'k')), split(dense(y, 'v')));
  const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch * length, width]);
  const middle = tf.add(x, dense(joined, 'o'));
  const hidden = dense(norm(middle, 'norm2'), 'fc1');
  const active = tf.mul(hidden, tf.sigmoid(tf.mul(hidden, 1.702)));
  return tf.mean(tf.square(tf.add(middle, dense(active, 'fc2'))));
}

function blockWeight(name: BlockWeight): Variable {
  const shape = blockShapes[name] as readonly number[];
  const stored = tf.tensor(blockValues(name), [...shape]);
  return tf.variable(shape.length === 2 ? tf.transpose(stored) : stored);
}

function values(...shape: number[]): Tensor {
  return tf.tensor(
    normal(
      shape.reduce((product, n) => product * n, 1),
      1,
    ),
    shape,
  );
}
