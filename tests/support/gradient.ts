// Checks an op of the engine against a float64 reference on the host: its values, and its gradients by
// central differences of the reference.

import * as assert from 'uvu/assert';
import { backward } from '../../engine/autograd.ts';
import { mul } from '../../engine/ops/elementwise.ts';
import { sum } from '../../engine/ops/reduce.ts';
import { type Shape, sizeOf, type Tensor } from '../../engine/tensor.ts';
import { device } from './device.ts';
import { generator, normal } from './random.ts';

export interface GradientCase {
  /** The op under test. Only operands in `inputs` are differentiated; capture others. */
  op: (...inputs: Tensor[]) => Tensor;
  /** The same in float64: flat inputs in, flat output out. */
  reference: (...inputs: Float64Array[]) => Float64Array | number[];
  shapes: readonly Shape[];
  /** Contents of the inputs; default: normal numbers. Float32 values. */
  data?: readonly Float32Array<ArrayBuffer>[];
  /** Largest error allowed, relative to the largest magnitude of what is compared. Default 2e-5. */
  tolerance?: number;
  /** Elements of each input to differentiate by central differences, picked at random. Default 12. */
  probes?: number;
  seed?: number;
}

const step = 1e-5;

/**
 * Asserts that values and gradients agree. The scalar differentiated is a random linear combination of the
 * op's outputs, so that every element of the output matters.
 */
export async function checkGradients(test: GradientCase): Promise<void> {
  const { op, reference, shapes, tolerance = 2e-5, probes = 12, seed = 1 } = test;
  const data = test.data ?? shapes.map((shape, i) => normal(sizeOf(shape), seed + i));
  const inputs = shapes.map((shape, i) => device.parameter(shape, data[i]!, `input ${i}`));
  const exact = data.map((values) => Float64Array.from(values));
  const expected = Float64Array.from(reference(...exact));
  const weights = normal(expected.length, seed + 1000);

  const [values, ...gradients] = await device.scope(() => {
    const y = op(...inputs);
    assert.is(y.size, expected.length, 'elements of the output');
    const loss = sum(mul(y, device.tensor(y.shape, weights)));
    const found = backward(loss);
    const read = (input: Tensor) => found.get(input)?.read() ?? null;
    return Promise.all([y.read(), ...inputs.map(read)]);
  });
  assertClose(values!, expected, tolerance, 'value');

  const loss = (arrays: Float64Array[]) => {
    const y = reference(...arrays);
    let total = 0;
    for (let i = 0; i < weights.length; i++) total += weights[i]! * y[i]!;
    return total;
  };
  const next = generator(seed);
  for (const [i, found] of gradients.entries()) {
    const gradient = Float32Array.from(found ?? []);
    assert.ok(gradient.length > 0, `input ${i} received a gradient`);
    const picked = new Set(Array.from({ length: probes }, () => Math.floor(next() * gradient.length)));
    const positions = [...picked];
    const numerical = positions.map((position) => {
      const moved = (by: number) =>
        loss(
          exact.map((values, j) => (i === j ? values.map((v, k) => (k === position ? v + by : v)) : values)),
        );
      return (moved(step) - moved(-step)) / (2 * step);
    });
    const largest = gradient.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    assertClose(
      positions.map((p) => gradient[p]!),
      numerical,
      tolerance,
      `gradient of input ${i}`,
      largest,
    );
  }
  for (const input of inputs) input.release();
}

/** Asserts equality to `tolerance` times the largest magnitude expected (or `scale` if that is larger). */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
  scale = 0,
): void {
  assert.is(actual.length, expected.length, `${what}: number of elements`);
  let largest = scale;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]!));
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    if (error <= tolerance * Math.max(largest, 1e-6)) continue;
    assert.unreachable(
      `${what} [${i}]: expected ${expected[i]}, got ${actual[i]} (tolerance ${tolerance} of ${largest})`,
    );
  }
}
