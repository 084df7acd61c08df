// Benchmarks of what walks along sequences: the LSTM at the width of the baseline DZMNED, over a batch of its texts.

import type { Device } from '../engine/device.ts';
import { lstm } from '../engine/ops/sequence/lstm.ts';
import { type Benchmark, backwardOf, benchmark, parameter, random } from './benchmark.ts';

const sizes = { batch: 32, length: 40, hidden: 256 };
const { batch, length, hidden } = sizes;
const tokens = batch * length;
const weights = 4 * hidden * hidden;

/** All tokens are real. */
function operands(device: Device) {
  return {
    projected: parameter(device, batch, length, 4 * hidden),
    weight: parameter(device, 4 * hidden, hidden),
    mask: device.tensor([batch, length], new Int32Array(tokens).fill(1)),
  };
}

export const sequenceBenchmarks: Benchmark[] = [
  benchmark({
    name: 'lstm',
    bound: 'fma',
    flops: 2 * tokens * weights,
    // With what the backward needs: gates, cells, states.
    bytes: 4 * (tokens * 10 * hidden + weights),
    operands,
    run: ({ projected, weight, mask }) => lstm(projected, weight, mask),
  }),
  benchmark({
    name: 'lstm-backward',
    bound: 'fma',
    // The gradients of the states and of the weight.
    flops: 4 * tokens * weights,
    bytes: 4 * (tokens * 10 * hidden + 2 * weights),
    operands: (device) => {
      const all = operands(device);
      return { ...all, y: lstm(all.projected, all.weight, all.mask), dy: random(device, batch, hidden) };
    },
    run: ({ y, dy }) => backwardOf(y, dy),
  }),
];
