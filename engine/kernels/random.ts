// Random numbers on the device: the next of a generator, whatever the adapter is. Knows nothing of what they are for:
// dropout and Gumbel noise are in ops/.

import { type Device, linearGrid } from '../device.ts';
import { type Random, type Stream, words64 } from '../random.ts';
import { type Dtype, type Shape, sizeOf, type Tensor } from '../tensor.ts';

/** Random 32-bit words. u32. */
export function randomBits(device: Device, shape: Shape, random: Random): Tensor {
  return draw(device, shape, random, 'bits');
}

/** Uniform numbers in (0, 1): odd multiples of 2^-24, never 0 and never 1. f32. */
export function uniform(device: Device, shape: Shape, random: Random): Tensor {
  return draw(device, shape, random, 'uniform');
}

/** Normal numbers of mean 0 and the given standard deviation, by Box and Muller. f32. */
export function normal(device: Device, shape: Shape, random: Random, deviation = 1): Tensor {
  return draw(device, shape, random, 'normal', deviation);
}

const kinds = { bits: 0, uniform: 1, gumbel: 2, normal: 3 } as const;

/** A tensor of the generator's next numbers. */
export function draw(
  device: Device,
  shape: Shape,
  random: Random,
  kind: keyof typeof kinds,
  factor = 1,
): Tensor {
  const dtype: Dtype = kind === 'bits' ? 'u32' : 'f32';
  const tensor = device.empty(shape, dtype, kind);
  const stream = random.next(sizeOf(shape));
  forParts(device, tensor.size, (first, n) => {
    device.run({
      kernel: 'random',
      entry: 'generate',
      constants: { KIND: kinds[kind] },
      buffers: { bits: tensor.range(first, n) },
      params: { n, ...streamParams(stream, first), threshold: 0, factor, row: 1, every: 1 },
      grid: blockGrid(n),
      bytes: 4 * n,
    });
  });
  return tensor;
}

/** Calls `body` for parts of n elements that each fit into a binding; parts begin at whole blocks. */
export function forParts(device: Device, n: number, body: (first: number, count: number) => void): void {
  const most = Math.floor(device.maxBindingBytes / 4 / 64) * 64;
  for (let first = 0; first < n; first += most) body(first, Math.min(most, n - first));
}

/** The kernel's key and counter for the numbers of a stream from number `first`, a multiple of 4, on. */
export function streamParams(stream: Stream, first: number) {
  const [key_0, key_1] = words64(stream.seed);
  const [counter_0, counter_1] = words64(BigInt(stream.block + first / 4));
  return { key_0, key_1, counter_0, counter_1, counter_2: 0, counter_3: 0 };
}

/** Workgroups for n elements: 64 invocations each, a block an invocation. */
export function blockGrid(n: number): [number, number, number] {
  return linearGrid(Math.ceil(n / 256));
}
