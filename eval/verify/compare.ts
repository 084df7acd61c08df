// Holds computed tensors against a case's expected ones.

import type { HostArray } from '../../engine/tensor.ts';
import type { Case, HostTensor } from './case.ts';
import type { Results } from './kind.ts';

export interface Comparison {
  name: string;
  /** Largest difference of two elements; NaN when an element is NaN. */
  absolute: number;
  /** The same over `scale`. */
  relative: number;
  pass: boolean;
  /** Why there is nothing to compare, or how the scale was chosen. */
  note: string;
}

/** One comparison for each expected tensor, in the case's order. */
export function compareResults(expected: Case, results: Results): Comparison[] {
  return [...expected.expected].map(([name, tensor]) => {
    const actual = results[name];
    if (!actual) return nothing(name, 'not computed');
    if (actual.length !== tensor.data.length) {
      return nothing(name, `${actual.length} elements, expected ${tensor.data.length}`);
    }
    return compare(name, actual, tensor.data, expected);
  });
}

function compare(
  name: string,
  actual: HostArray,
  wanted: HostTensor['data'],
  { expected, tolerance }: Case,
): Comparison {
  let absolute = 0;
  for (let i = 0; i < wanted.length; i++) {
    // Equal infinities do not differ; NaN differs from everything and stays in the maximum.
    if (actual[i] !== wanted[i]) absolute = Math.max(absolute, Math.abs(actual[i]! - wanted[i]!));
  }
  if (wanted instanceof Int32Array) {
    return { name, absolute, relative: absolute, pass: absolute === 0, note: 'must be equal' };
  }
  const largest = magnitude(wanted);
  const scale = scaleOf(name, largest, expected);
  const relative = absolute === 0 ? 0 : absolute / scale;
  const note = scale === largest ? '' : `zero but for rounding; relative to ${scale.toExponential(1)}`;
  return { name, absolute, relative, pass: relative <= tolerance, note };
}

/**
 * The magnitude that errors are relative to: the tensor's own largest. A gradient that is zero in exact arithmetic
 * (of a bias on attention keys, which softmax cancels) holds only the reference's float64 rounding, to which no
 * float32 result could be relative: the scale is then that of the gradient of its layer's weight, a sum
 * over the same terms.
 */
function scaleOf(name: string, largest: number, expected: Case['expected']): number {
  if (!name.startsWith('grad/') || !name.endsWith('.bias')) return largest;
  const weight = expected.get(name.replace(/bias$/, 'weight'));
  const around = weight ? magnitude(weight.data) : 0;
  return largest < 1e-12 * around ? around : largest;
}

/** The largest finite magnitude. */
function magnitude(values: HostTensor['data']): number {
  let largest = 0;
  for (const value of values) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  return largest;
}

function nothing(name: string, note: string): Comparison {
  return { name, absolute: Number.NaN, relative: Number.NaN, pass: false, note };
}
