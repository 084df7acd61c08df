// Benchmarks of the kernels that arithmetic bounds: products, attention, convolution.

import { backwardFrom } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import { attention } from '../engine/ops/attention/attention.ts';
import { scale } from '../engine/ops/elementwise.ts';
import { conv3x3 } from '../engine/ops/images/convolution.ts';
import { patchEmbedding } from '../engine/ops/images/patch-embedding.ts';
import { linear } from '../engine/ops/linear.ts';
import { type MatmulOptions, matmul } from '../engine/ops/matmul.ts';
import { conv1d } from '../engine/ops/sequence/conv1d.ts';
import { reshape, transpose } from '../engine/ops/shape.ts';
import { softmax } from '../engine/ops/softmax.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Benchmark, backwardOf, benchmark, parameter, random } from './benchmark.ts';
import { attentionSizes, clipMlp, squareMatmul } from './sizes.ts';

const { batch, heads, length, headSize } = attentionSizes;
const width = heads * headSize;
/** Multiply-adds of one of attention's two products. */
const attentionWork = batch * heads * length * length * headSize;
const tokens = batch * length * width;
/** VGG-16's third stage on two images, and CLIP's patches of 32 x 32 on sixteen. */
const image = { batch: 2, channels: 256, size: 28 };
const patches = { batch: 16, channels: 3, size: 224, patch: 32, width: 768 };
const patchCount = (patches.size / patches.patch) ** 2;
const patchWeights = patches.channels * patches.patch ** 2 * patches.width;
/** A small CLIP's feed-forward layer on 64 texts of 20 tokens. */
const small = { rows: 1280, inputs: 64, outputs: 256 };
const smallWork = small.rows * small.inputs * small.outputs;
const smallBytes =
  4 * (small.rows * small.inputs + small.inputs * small.outputs + small.rows * small.outputs);
const pixels = image.batch * image.size ** 2;
/** Phrases of three tokens, as GHMFC finds them at its full width: a batch of sentences. */
const phrases = { batch: 32, length: 63, width: 512, taps: 3 };
const phraseTokens = phrases.batch * phrases.length;
/** Multiply-adds. */
const phraseWork = phraseTokens * phrases.width ** 2 * phrases.taps;
const phraseBytes = 4 * (2 * phraseTokens * phrases.width + phrases.width ** 2 * phrases.taps);

export const denseBenchmarks: Benchmark[] = [
  square('matmul-1024', { transposeB: true }),
  square('matmul-1024-nn', {}),
  square('matmul-1024-tn', { transposeA: true }),
  // 1024 is too small to keep a large GPU busy, this too large for a CPU adapter.
  { ...square('matmul-4096', { transposeB: true }, 4096), runsOn: ({ isCpu }) => !isCpu },
  benchmark({
    name: 'matmul-clip-mlp',
    bound: 'fma',
    flops: 2 * clipMlp.m * clipMlp.k * clipMlp.n,
    bytes: 4 * (clipMlp.m * clipMlp.k + clipMlp.k * clipMlp.n + clipMlp.m * clipMlp.n),
    operands: (device) => ({
      x: random(device, clipMlp.m, clipMlp.k),
      weight: random(device, clipMlp.n, clipMlp.k),
      bias: random(device, clipMlp.n),
    }),
    run: ({ x, weight, bias }) => linear(x, weight, bias),
  }),
  benchmark({
    name: 'linear-small',
    bound: 'fma',
    flops: 2 * smallWork,
    bytes: smallBytes,
    operands: (device) => ({
      x: random(device, small.rows, small.inputs),
      weight: random(device, small.outputs, small.inputs),
      bias: random(device, small.outputs),
    }),
    run: ({ x, weight, bias }) => linear(x, weight, bias),
  }),
  benchmark({
    name: 'linear-small-backward',
    bound: 'fma',
    flops: 4 * smallWork,
    bytes: 2 * smallBytes,
    operands: (device) => {
      const x = parameter(device, small.rows, small.inputs);
      const weight = parameter(device, small.outputs, small.inputs);
      return { x, weight, y: linear(x, weight, null), dy: random(device, small.rows, small.outputs) };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
  benchmark({
    name: 'attention-forward',
    bound: 'fma',
    flops: 4 * attentionWork,
    bytes: 4 * 4 * tokens,
    operands: (device) => Array.from({ length: 3 }, () => random(device, batch, length, width)),
    run: ([q, k, v]) => attention(q!, k!, v!, { heads }),
  }),
  // What attention-forward is held against: the same operands and result, by separate ops.
  benchmark({
    name: 'attention-unfused',
    bound: 'fma',
    flops: 4 * attentionWork,
    bytes: 4 * 4 * tokens,
    operands: (device) => Array.from({ length: 3 }, () => random(device, batch, length, width)),
    run: (operands) => {
      const split = (x: Tensor) => transpose(reshape(x, [batch, length, heads, headSize]), [0, 2, 1, 3]);
      const [q, k, v] = operands.map((x) => reshape(split(x), [batch * heads, length, headSize]));
      const scores = scale(matmul(q!, k!, { transposeB: true }), 1 / Math.sqrt(headSize));
      const mixed = reshape(matmul(softmax(scores), v!), [batch, heads, length, headSize]);
      reshape(transpose(mixed, [0, 2, 1, 3]), [batch, length, width]);
    },
  }),
  // Its products and softmax alone, on operands that have their heads in order already.
  benchmark({
    name: 'attention-unfused-products',
    bound: 'fma',
    flops: 4 * attentionWork,
    bytes: 4 * 4 * tokens,
    operands: (device) => Array.from({ length: 3 }, () => random(device, batch * heads, length, headSize)),
    run: ([q, k, v]) => {
      const scores = scale(matmul(q!, k!, { transposeB: true }), 1 / Math.sqrt(headSize));
      matmul(softmax(scores), v!);
    },
  }),
  benchmark({
    name: 'attention-backward',
    bound: 'fma',
    flops: 10 * attentionWork,
    bytes: 4 * 8 * tokens,
    operands: (device) => {
      const [q, k, v] = Array.from({ length: 3 }, () => parameter(device, batch, length, width));
      return { q, k, v, y: attention(q!, k!, v!, { heads }), dy: random(device, batch, length, width) };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
  benchmark({
    name: 'convolution',
    bound: 'fma',
    flops: 2 * pixels * 9 * image.channels ** 2,
    bytes: 4 * (2 * pixels * image.channels + 9 * image.channels ** 2),
    operands: (device) => ({
      x: random(device, image.batch, image.channels, image.size, image.size),
      weight: random(device, image.channels, image.channels, 3, 3),
      bias: random(device, image.channels),
    }),
    run: ({ x, weight, bias }) => conv3x3(x, weight, bias, { relu: true }),
  }),
  benchmark({
    name: 'conv1d',
    bound: 'fma',
    flops: 2 * phraseWork,
    bytes: phraseBytes,
    operands: conv1dOperands,
    run: ({ x, weight, bias }) => conv1d(x, weight, bias),
  }),
  benchmark({
    name: 'conv1d-backward',
    bound: 'fma',
    flops: 4 * phraseWork,
    bytes: 2 * phraseBytes,
    operands: (device) => {
      const { x, weight, bias } = conv1dOperands(device);
      const y = conv1d(x, weight, bias);
      return { x, weight, bias, y, dy: random(device, ...y.shape) };
    },
    // The product's and that of the neighbours.
    run: ({ y, dy }) => backwardFrom(new Map([[y, dy]])),
  }),
  benchmark({
    name: 'patch-embedding',
    bound: 'fma',
    flops: 2 * patches.batch * patchCount * patchWeights,
    bytes:
      4 *
      (patches.batch * (patches.channels * patches.size ** 2 + patchCount * patches.width) + patchWeights),
    operands: (device) => ({
      pixels: random(device, patches.batch, patches.channels, patches.size, patches.size),
      weight: random(device, patches.width, patches.channels, patches.patch, patches.patch),
    }),
    run: ({ pixels, weight }) => patchEmbedding(pixels, weight),
  }),
];

function square(name: string, options: MatmulOptions, n = squareMatmul.n): Benchmark {
  return benchmark({
    name,
    bound: 'fma',
    flops: 2 * n ** 3,
    bytes: 4 * 3 * n ** 2,
    operands: (device) => ({ a: random(device, n, n), b: random(device, n, n) }),
    run: ({ a, b }) => matmul(a, b, options),
  });
}

function conv1dOperands(device: Device) {
  const { batch, length, width, taps } = phrases;
  return {
    x: parameter(device, batch, length, width),
    weight: parameter(device, width, width, taps),
    bias: parameter(device, width),
  };
}
