// Benchmarks of the kernels that work on rows; memory traffic bounds them.

import { uniform } from '../engine/kernels/random.ts';
import { crossEntropy } from '../engine/ops/cross-entropy.ts';
import { embedding } from '../engine/ops/embedding.ts';
import { gumbelNoise, straightThrough } from '../engine/ops/gumbel.ts';
import { l2Normalize } from '../engine/ops/l2-normalize.ts';
import { layerNorm } from '../engine/ops/layer-norm.ts';
import { mean, sum } from '../engine/ops/reduce.ts';
import { maxOverTime } from '../engine/ops/sequence/max-over-time.ts';
import { softmax } from '../engine/ops/softmax.ts';
import { argmax, topK } from '../engine/ops/top-k.ts';
import { Random } from '../engine/random.ts';
import { type Benchmark, backwardOf, benchmark, integers, parameter, random } from './benchmark.ts';
import { layerNormRows, softmaxRows } from './sizes.ts';

const scores = softmaxRows;
const scoreBytes = 4 * scores.rows * scores.columns;
const states = layerNormRows;
const stateBytes = 4 * states.rows * states.columns;
/** CLIP's token table. */
const table = { rows: 49_408, columns: 512 };
const logits = { rows: 1232, columns: 2048 };
const logitBytes = 4 * logits.rows * logits.columns;
const gates = { rows: 100_000, experts: 3 };
const gateBytes = 4 * gates.rows * gates.experts;
/** Tokens of GHMFC at its full width: a batch of sentences. */
const tokens = { batch: 32, length: 63, width: 512 };
const tokenBytes = 4 * tokens.batch * tokens.length * tokens.width;

export const rowBenchmarks: Benchmark[] = [
  benchmark({
    name: 'softmax',
    bound: 'copy',
    flops: 4 * scores.rows * scores.columns,
    bytes: 2 * scoreBytes,
    operands: (device) => random(device, scores.rows, scores.columns),
    run: (x) => softmax(x),
  }),
  benchmark({
    name: 'softmax-backward',
    bound: 'copy',
    flops: 4 * scores.rows * scores.columns,
    bytes: 3 * scoreBytes,
    operands: (device) => {
      const x = parameter(device, scores.rows, scores.columns);
      return { x, y: softmax(x), dy: random(device, scores.rows, scores.columns) };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
  benchmark({
    name: 'layernorm',
    bound: 'copy',
    flops: 8 * states.rows * states.columns,
    bytes: 2 * stateBytes,
    operands: (device) => ({
      x: random(device, states.rows, states.columns),
      weight: random(device, states.columns),
      bias: random(device, states.columns),
    }),
    run: ({ x, weight, bias }) => layerNorm(x, weight, bias),
  }),
  benchmark({
    name: 'layernorm-backward',
    bound: 'copy',
    flops: 12 * states.rows * states.columns,
    bytes: 3 * stateBytes,
    operands: (device) => {
      const x = parameter(device, states.rows, states.columns);
      const weight = parameter(device, states.columns);
      const bias = parameter(device, states.columns);
      return {
        x,
        weight,
        bias,
        y: layerNorm(x, weight, bias),
        dy: random(device, states.rows, states.columns),
      };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
  benchmark({
    name: 'embedding',
    bound: 'copy',
    flops: 0,
    bytes: 2 * 4 * states.rows * table.columns,
    operands: (device) => ({
      rows: random(device, table.rows, table.columns),
      ids: integers(device, table.rows, [states.rows]),
    }),
    run: ({ rows, ids }) => embedding(rows, ids),
  }),
  benchmark({
    name: 'embedding-backward',
    bound: 'copy',
    flops: states.rows * table.columns,
    bytes: 4 * (table.rows + states.rows) * table.columns,
    operands: (device) => {
      const rows = parameter(device, table.rows, table.columns);
      const ids = integers(device, table.rows, [states.rows]);
      return { rows, ids, y: embedding(rows, ids), dy: random(device, states.rows, table.columns) };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
  benchmark({
    name: 'cross-entropy',
    bound: 'copy',
    flops: 4 * logits.rows * logits.columns,
    bytes: logitBytes,
    operands: (device) => ({
      x: random(device, logits.rows, logits.columns),
      targets: integers(device, logits.columns, [logits.rows]),
    }),
    run: ({ x, targets }) => crossEntropy(x, targets),
  }),
  benchmark({
    name: 'cross-entropy-backward',
    bound: 'copy',
    flops: 4 * logits.rows * logits.columns,
    bytes: 2 * logitBytes,
    operands: (device) => {
      const x = parameter(device, logits.rows, logits.columns);
      const targets = integers(device, logits.columns, [logits.rows]);
      return { x, targets, y: crossEntropy(x, targets), dy: device.tensor([], [1]) };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
  benchmark({
    name: 'l2-normalize',
    bound: 'copy',
    flops: 3 * states.rows * states.columns,
    bytes: 2 * stateBytes,
    operands: (device) => random(device, states.rows, states.columns),
    run: (x) => l2Normalize(x),
  }),
  benchmark({
    name: 'l2-normalize-backward',
    bound: 'copy',
    flops: 5 * states.rows * states.columns,
    bytes: 3 * stateBytes,
    operands: (device) => {
      const x = parameter(device, states.rows, states.columns);
      return { x, y: l2Normalize(x), dy: random(device, states.rows, states.columns) };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
  benchmark({
    name: 'top-k',
    bound: 'copy',
    flops: 0,
    bytes: logitBytes,
    operands: (device) => random(device, logits.rows, logits.columns),
    run: (x) => topK(x, 10),
  }),
  benchmark({
    name: 'argmax',
    bound: 'copy',
    flops: 0,
    bytes: logitBytes,
    operands: (device) => random(device, logits.rows, logits.columns),
    run: (x) => argmax(x),
  }),
  benchmark({
    name: 'reductions',
    bound: 'copy',
    flops: logits.rows * logits.columns,
    bytes: logitBytes,
    operands: (device) => random(device, logits.rows, logits.columns),
    run: (x) => mean(x),
  }),
  benchmark({
    name: 'reductions-rows',
    bound: 'copy',
    flops: logits.rows * logits.columns,
    bytes: logitBytes,
    operands: (device) => random(device, logits.rows, logits.columns),
    run: (x) => sum(x, -1),
  }),
  benchmark({
    name: 'reductions-columns',
    bound: 'copy',
    flops: logits.rows * logits.columns,
    bytes: logitBytes,
    operands: (device) => random(device, logits.rows, logits.columns),
    run: (x) => sum(x, 0),
  }),
  benchmark({
    name: 'straight-through',
    bound: 'copy',
    flops: 8 * gates.rows * gates.experts,
    bytes: 3 * gateBytes,
    operands: (device) => ({
      pi: uniform(device, [gates.rows, gates.experts], new Random(1)),
      noise: gumbelNoise(device, [gates.rows, gates.experts], new Random(2)),
    }),
    run: ({ pi, noise }) => straightThrough(pi, noise, 1, 1e-9),
  }),
  benchmark({
    name: 'max-over-time',
    bound: 'copy',
    flops: tokens.batch * tokens.length * tokens.width,
    bytes: tokenBytes,
    operands: (device) => ({
      x: random(device, tokens.batch, tokens.length, tokens.width),
      mask: integers(device, 2, [tokens.batch, tokens.length]),
    }),
    run: ({ x, mask }) => maxOverTime(x, mask),
  }),
  benchmark({
    name: 'max-over-time-backward',
    bound: 'copy',
    flops: 0,
    bytes: tokenBytes,
    operands: (device) => {
      const x = parameter(device, tokens.batch, tokens.length, tokens.width);
      return { x, y: maxOverTime(x), dy: random(device, tokens.batch, tokens.width) };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
];
