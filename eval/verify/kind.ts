// What a kind of case is given and must give back, and the helpers that kinds share.

import type { TextBatch } from '../../encoding/samples.ts';
import { backward } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { add, mul, scale } from '../../engine/ops/elementwise.ts';
import { sum } from '../../engine/ops/reduce.ts';
import type { HostArray, Tensor } from '../../engine/tensor.ts';
import { WeightsError } from '../../files/errors.ts';
import type { EncodingBatch } from '../../model/baselines/baseline.ts';
import type { ParameterSource } from '../../model/parameter-source.ts';
import type { CaseConfig, HostTensor, HostTensors } from './case.ts';

export interface CaseContext {
  device: Device;
  config: CaseConfig;
  /** The case's weights on the device; those with an expected gradient are trainable. */
  parameters: ParameterSource;
  inputs: HostTensors;
}

/** Computes a case's outputs (`output/NAME`) and gradients (`grad/PARAMETER`). */
export type Kind = (context: CaseContext) => Promise<Results>;
export type Results = Record<string, HostArray>;

/** Reads named outputs and, when one of them is the loss, the gradients of all leaves it depends on. */
export async function readResults(outputs: Record<string, Tensor>): Promise<Results> {
  const reads: [string, Promise<HostArray>][] = Object.entries(outputs).map(([name, y]) => [
    `output/${name}`,
    y.read(),
  ]);
  for (const [leaf, gradient] of outputs.loss ? backward(outputs.loss) : []) {
    reads.push([`grad/${leaf.name}`, gradient.read()]);
  }
  return Object.fromEntries(
    await Promise.all(reads.map(async ([name, read]) => [name, await read] as const)),
  );
}

/** The references' scalar of some tensors: sum of t[i] cos(i) / sqrt(size of t), i counting all elements. */
export function probe(...tensors: Tensor[]): Tensor {
  return tensors
    .map((t) => {
      const weights = Float32Array.from({ length: t.size }, (_, i) => Math.cos(i));
      return scale(sum(mul(t, t.device.tensor(t.shape, weights))), t.size ** -0.5);
    })
    .reduce(add);
}

/** An input by name. Throws WeightsError when the case has none. */
export function hostInput({ inputs }: CaseContext, name: string): HostTensor {
  const input = inputs.get(name);
  if (!input) throw new WeightsError(`input/${name} is missing`);
  return input;
}

/** An input by name, on the device. */
export function input(context: CaseContext, name: string): Tensor {
  const { shape, data } = hostInput(context, name);
  return context.device.tensor(shape, data, { name });
}

/** An input of integers, on the host. */
export function integers(
  context: CaseContext,
  name: string,
): { shape: readonly number[]; data: Int32Array<ArrayBuffer> } {
  const { shape, data } = hostInput(context, name);
  if (!(data instanceof Int32Array)) throw new WeightsError(`input/${name} must be int32`);
  return { shape, data };
}

/** All rows of a case as a batch to encode, row i with image i where there are pixels, and nothing dropped. */
export function caseBatch<Inputs>(
  inputs: Inputs,
  count: number,
  pixels: Tensor | null = null,
): EncodingBatch<Inputs> {
  const rows = Array.from({ length: count }, (_, i) => i);
  return { inputs, rows, images: rows, pixels, places: Int32Array.from(rows), random: null };
}

/** The real tokens of each text. */
export function lengthsOf({ mask, count, length }: TextBatch): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: count }, (_, row) =>
    mask.subarray(row * length, (row + 1) * length).reduce((sum, real) => sum + real, 0),
  );
}
