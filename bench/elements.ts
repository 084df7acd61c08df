// Benchmarks of the kernels that work element by element or only move data; memory traffic bounds them.

import type { Device } from '../engine/device.ts';
import { normal, uniform } from '../engine/kernels/random.ts';
import { Adam } from '../engine/nn/adam.ts';
import { dropout } from '../engine/ops/dropout.ts';
import { add, gelu, quickGelu } from '../engine/ops/elementwise.ts';
import { adaptiveAveragePool, maxPool2x2 } from '../engine/ops/images/pooling.ts';
import { concat, transpose } from '../engine/ops/shape.ts';
import { cast } from '../engine/ops/storage/cast.ts';
import { packHalves, unpackHalves } from '../engine/ops/storage/half.ts';
import { int8Products, unpackInt8Rows } from '../engine/ops/storage/int8-rows.ts';
import { Random } from '../engine/random.ts';
import { type Benchmark, benchmark, parameter, random } from './benchmark.ts';

const shape = [1232, 2048] as const;
const size = shape[0] * shape[1];
/** [batch, length, heads, head size], from which attention's transposes start. */
const heads = [16, 77, 8, 64] as const;
const headsSize = 16 * 77 * 8 * 64;
const parameters = 10_000_000;
const image = [2, 64, 112, 112] as const;
const imageSize = 2 * 64 * 112 * 112;

export const elementBenchmarks: Benchmark[] = [
  benchmark({
    name: 'elementwise',
    bound: 'copy',
    flops: 4 * size,
    bytes: 2 * 4 * size,
    operands: (device) => random(device, ...shape),
    run: (x) => quickGelu(x),
  }),
  benchmark({
    name: 'gelu',
    bound: 'copy',
    flops: 20 * size,
    bytes: 2 * 4 * size,
    operands: (device) => random(device, ...shape),
    run: (x) => gelu(x),
  }),
  benchmark({
    name: 'elementwise-binary',
    bound: 'copy',
    flops: size,
    bytes: 3 * 4 * size,
    operands: (device) => [random(device, ...shape), random(device, ...shape)],
    run: ([a, b]) => add(a!, b!),
  }),
  benchmark({
    name: 'elementwise-broadcast',
    bound: 'copy',
    flops: size,
    bytes: 2 * 4 * size,
    operands: (device) => [random(device, ...shape), random(device, shape[1])],
    run: ([a, b]) => add(a!, b!),
  }),
  benchmark({
    name: 'transpose',
    bound: 'copy',
    flops: 0,
    bytes: 2 * 4 * headsSize,
    operands: (device) => random(device, ...heads),
    run: (x) => transpose(x, [0, 2, 1, 3]),
  }),
  benchmark({
    name: 'concat',
    bound: 'copy',
    flops: 0,
    bytes: 2 * 4 * 2 * size,
    operands: (device) => [random(device, ...shape), random(device, ...shape)],
    run: (parts) => concat(parts, 1),
  }),
  benchmark({
    name: 'cast',
    bound: 'copy',
    flops: 0,
    bytes: 6 * size,
    runsOn: (device) => device.hasF16,
    operands: (device) => random(device, ...shape),
    run: (x) => cast(x, 'f16'),
  }),
  benchmark({
    name: 'halves',
    bound: 'copy',
    flops: 0,
    bytes: 2 * 6 * size,
    operands: (device) => random(device, ...shape),
    run: (x) => unpackHalves(packHalves(x), shape),
  }),
  benchmark({
    name: 'int8-rows',
    bound: 'copy',
    flops: size,
    bytes: 5 * size,
    operands: (device) => ({
      words: device.zeros([size / 4], 'u32'),
      scales: random(device, shape[0]),
    }),
    run: ({ words, scales }) => unpackInt8Rows(words, scales, shape[1]),
  }),
  benchmark({
    name: 'int8-products (8 queries)',
    bound: 'fma',
    flops: 2 * 8 * 32_768 * 512,
    bytes: 32_768 * (512 + 4 * 8),
    operands: (device) => ({
      rows: { words: device.zeros([32_768, 128], 'u32'), scales: random(device, 32_768) },
      queries: random(device, 8, 512),
      products: device.zeros([8, 32_768]),
    }),
    run: ({ rows, queries, products }) => {
      int8Products(queries, rows, { first: 0, count: 32_768, at: 0 }, products);
      return products;
    },
  }),
  benchmark({
    name: 'dropout',
    bound: 'copy',
    flops: size,
    bytes: 2 * 4 * size,
    operands: (device) => ({ x: random(device, ...shape), generator: new Random(1) }),
    run: ({ x, generator }) => dropout(x, 0.1, generator),
  }),
  benchmark({
    name: 'random',
    bound: 'copy',
    flops: 0,
    bytes: 4 * size,
    operands: () => new Random(1),
    run: (generator, device) => uniform(device, shape, generator),
  }),
  benchmark({
    name: 'random-normal',
    bound: 'copy',
    flops: 0,
    bytes: 4 * size,
    operands: () => new Random(1),
    run: (generator, device) => normal(device, shape, generator),
  }),
  benchmark({
    name: 'max-pool',
    bound: 'copy',
    flops: imageSize,
    bytes: 5 * imageSize,
    operands: (device) => random(device, ...image),
    run: (x) => maxPool2x2(x),
  }),
  benchmark({
    name: 'adaptive-average-pool',
    bound: 'copy',
    flops: imageSize,
    bytes: 4 * imageSize,
    operands: (device) => random(device, ...image),
    run: (x) => adaptiveAveragePool(x, 7),
  }),
  // Reads the gradient, reads and writes parameter and both moments.
  benchmark({
    name: 'adam',
    bound: 'copy',
    flops: 12 * parameters,
    bytes: 7 * 4 * parameters,
    operands: adamOperands,
    run: ({ adam, gradients }) => adam.step(gradients),
  }),
  // As above, after reading all gradients for their global norm (gradient-norm.wgsl).
  benchmark({
    name: 'adam-clipped',
    bound: 'copy',
    flops: 14 * parameters,
    bytes: 8 * 4 * parameters,
    operands: adamOperands,
    run: ({ adam, gradients }) => adam.step(gradients, { clipNorm: 1 }),
  }),
];

function adamOperands(device: Device) {
  const tensors = Array.from({ length: 10 }, (_, i) => {
    const tensor = parameter(device, parameters / 10);
    tensor.name = `parameter ${i}`;
    return tensor;
  });
  const gradients = new Map(tensors.map((tensor) => [tensor, random(device, tensor.size)]));
  return { adam: new Adam(tensors, { lr: 1e-3 }), gradients, tensors };
}
