// What a phase hands on to the next: a network's parameters on the host.

import type { Device } from '../../engine/device.ts';
import type { Tensor } from '../../engine/tensor.ts';

/** Parameters by name. */
export type Weights = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** Reads tensors from the device. */
export async function readWeights(
  device: Device,
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
): Promise<Weights> {
  const reads = [...tensors].map(async ([name, tensor]) => [name, await device.read<'f32'>(tensor)] as const);
  return new Map(await Promise.all(reads));
}
