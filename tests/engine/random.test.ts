// Philox against published numbers and against the host, distributions, and a generator's state.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../engine/device.ts';
import { EngineError } from '../../engine/errors.ts';
import { normal, randomBits, uniform } from '../../engine/kernels/random.ts';
import { gumbelNoise } from '../../engine/ops/gumbel.ts';
import { philox, Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { device } from '../support/device.ts';
import { assertClose } from '../support/gradient.ts';

type Block = [number, number, number, number];

/** Published with Random123, the authors' implementation (kat_vectors, philox4x32 10). */
const knownAnswers: { counter: Block; key: [number, number]; expected: Block }[] = [
  { counter: [0, 0, 0, 0], key: [0, 0], expected: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    expected: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    expected: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
];

test('Philox gives the published answers on host and device', async () => {
  for (const { counter, key, expected } of knownAnswers) {
    assert.equal(philox(counter, key), expected);
    assert.equal([...(await generate(4, counter, key, 64))], expected);
  }
});

test('device and host draw the same words, at odd lengths and across the carry of the counter', async () => {
  const seed = 0xfedcba9876543210n;
  for (const n of [1, 3, 4, 63, 64, 65, 255, 257, 1009]) {
    assert.equal(await words(randomBits(device, [n], new Random(seed))), new Random(seed).words(n), `${n}`);
  }
  const late = { seed: String(seed), counter: 2 ** 32 - 3 };
  const found = await words(randomBits(device, [41], Random.restore(late)));
  assert.equal(found, Random.restore(late).words(41));
});

test('the numbers do not depend on the shape of the work', async () => {
  const reference = await generate(1009, [7, 0, 0, 0], [1, 2], 64);
  for (const width of [1, 8, 32, 256]) {
    assert.equal(await generate(1009, [7, 0, 0, 0], [1, 2], width), reference, `${width} invocations`);
  }
  const small = await openDevice({ maxBindingBytes: 1024 });
  const parts = await words(randomBits(small, [1009], new Random(5)));
  assert.equal(parts, new Random(5).words(1009), 'in parts');
  small.destroy();
});

test('a draw advances the sequence; a restored state goes on where it was taken', async () => {
  const random = new Random(3);
  const first = await words(randomBits(device, [6], random));
  const state = JSON.parse(JSON.stringify(random.state()));
  assert.equal(state, { seed: '3', counter: 2 });
  const second = await words(randomBits(device, [6], random));
  assert.not.equal(first, second);
  assert.equal(await words(randomBits(device, [6], Random.restore(state))), second);
  assert.not.equal(new Random(4).words(6), new Random(3).words(6), 'seeds differ');
});

test('uniform numbers stay inside (0, 1) and are spread evenly', async () => {
  const n = 100_000;
  const x = await floats(uniform(device, [n], new Random(11)));
  assert.ok(x.every((v) => v > 0 && v < 1));
  const counts = new Array(16).fill(0);
  for (const v of x) counts[Math.floor(16 * v)]++;
  const chiSquare = counts.reduce((sum, count) => sum + (count - n / 16) ** 2 / (n / 16), 0);
  assert.ok(chiSquare < 37.7, `chi square of 15 degrees is ${chiSquare}, 37.7 has probability 0.001`);
  assert.ok(Math.abs(correlation(x, 1)) < 0.01 && Math.abs(correlation(x, 4)) < 0.01);
});

test('uniform, Gumbel and normal numbers follow from the words as documented', async () => {
  const n = 4001;
  const w = new Random(12).words(n + 3);
  const u = Array.from(w, (word) => ((word >>> 9) + 0.5) / 2 ** 23);
  assert.equal([...(await floats(uniform(device, [n], new Random(12))))], u.slice(0, n));
  const gumbel = await floats(gumbelNoise(device, [n], new Random(12)));
  for (const [i, v] of gumbel.entries()) {
    const expected = -Math.log(-Math.log(u[i]!));
    assert.ok(
      Math.abs(v - expected) <= 2e-6 * (1 + Math.abs(expected)),
      `gumbel ${i}: ${v}, expected ${expected}`,
    );
  }
  const gauss = await floats(normal(device, [n], new Random(12), 0.5));
  for (const [i, v] of gauss.entries()) {
    const [a, b] = [u[i - (i % 2)]!, u[i - (i % 2) + 1]!];
    const angle = 2 * Math.PI * (b - 0.5);
    const expected = 0.5 * Math.sqrt(-2 * Math.log(a)) * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
    // WGSL promises cos and sin to 2^-11.
    assert.ok(Math.abs(v - expected) < 2 ** -10, `normal ${i}: ${v}, expected ${expected}`);
  }
});

test('Gumbel noise is finite and has mean 0.5772 and variance pi^2 / 6', async () => {
  const x = await floats(gumbelNoise(device, [200_003], new Random(13)));
  assert.ok(x.every((v) => v > -2.9 && v < 16.7));
  assert.ok(Math.abs(mean(x) - 0.5772) < 0.01, `mean ${mean(x)}`);
  assert.ok(Math.abs(variance(x) - Math.PI ** 2 / 6) < 0.03, `variance ${variance(x)}`);
});

test('the smallest and the largest word give finite numbers too', async () => {
  // Found by search in the sequence of seed 0: a word below 2^9, and one of at least 2^32 - 2^9.
  for (const [block, i, uniformly, gumbel] of [
    [5_617_470, 3, 2 ** -24, -2.811541],
    [2_330_056, 2, 1 - 2 ** -24, 16.63553],
  ] as const) {
    const random = () => Random.restore({ seed: '0', counter: block });
    assert.is((await floats(uniform(device, [4], random())))[i], uniformly);
    assertClose([(await floats(gumbelNoise(device, [4], random())))[i]!], [gumbel], 1e-6, 'Gumbel');
    assert.ok(
      (await floats(normal(device, [4], random()))).every((v) => Math.abs(v) < 6),
      'normal',
    );
  }
});

test('normal numbers have the mean, variance, kurtosis and independence they should', async () => {
  const x = await floats(normal(device, [200_003], new Random(14), 2));
  assert.ok(x.every(Number.isFinite));
  assert.ok(Math.abs(mean(x)) < 0.02 && Math.abs(variance(x) - 4) < 0.06, `${mean(x)}, ${variance(x)}`);
  const kurtosis = x.reduce((sum, v) => sum + v ** 4, 0) / x.length / variance(x) ** 2;
  assert.ok(Math.abs(kurtosis - 3) < 0.06, `kurtosis ${kurtosis}`);
  for (const lag of [1, 2, 4]) assert.ok(Math.abs(correlation(x, lag)) < 0.01, `lag ${lag}`);
});

test('seeds and states that cannot be are refused', () => {
  for (const seed of [-1, 1.5, Number.NaN, 2 ** 53, 1n << 64n])
    assert.throws(() => new Random(seed), refusal);
  const states = [
    { seed: 'x', counter: 0 },
    { seed: '1', counter: -1 },
    { seed: '1', counter: 0.5 },
  ];
  states.push({ seed: String(1n << 64n), counter: 0 });
  for (const state of states) assert.throws(() => Random.restore(state), refusal);
});

const refusal = (error: Error) => error instanceof EngineError && /random/.test(error.message);

/** n words of the kernel with the whole 128-bit counter given, `width` invocations a workgroup. */
async function generate(n: number, counter: Block, key: [number, number], width: number) {
  const bits = device.empty([n], 'u32', 'bits');
  const [counter_0, counter_1, counter_2, counter_3] = counter;
  device.run({
    kernel: 'random',
    entry: 'generate',
    constants: { WIDTH: width },
    buffers: { bits },
    params: {
      n,
      key_0: key[0],
      key_1: key[1],
      counter_0,
      counter_1,
      counter_2,
      counter_3,
      threshold: 0,
      factor: 1,
      row: 1,
      every: 1,
    },
    grid: [Math.ceil(n / 4 / width), 1, 1],
  });
  return words(bits);
}

async function words(tensor: Tensor): Promise<Uint32Array> {
  assert.is(tensor.dtype, 'u32');
  return (await tensor.read()) as Uint32Array;
}

async function floats(tensor: Tensor): Promise<Float32Array> {
  assert.is(tensor.dtype, 'f32');
  return (await tensor.read()) as Float32Array;
}

const mean = (x: Float32Array) => x.reduce((sum, v) => sum + v, 0) / x.length;
const variance = (x: Float32Array) => {
  const centre = mean(x);
  return x.reduce((sum, v) => sum + (v - centre) ** 2, 0) / x.length;
};

/** Correlation of neighbours `lag` apart. */
function correlation(x: Float32Array, lag: number): number {
  const centre = mean(x);
  let total = 0;
  for (let i = lag; i < x.length; i++) total += (x[i]! - centre) * (x[i - lag]! - centre);
  return total / x.length / variance(x);
}

test.run();
