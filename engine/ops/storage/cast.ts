// Storage types: float32 tensors stored as float16 and back, for frozen weights.

import { willRecord } from '../../autograd.ts';
import { linearGrid } from '../../device.ts';
import { DtypeError, EngineError } from '../../errors.ts';
import { describe, type Tensor } from '../../tensor.ts';

const pairsPerGroup = 128;

/**
 * The same numbers stored as `dtype`; x itself where that is its dtype already. Rounds to nearest. Throws
 * DtypeError on a device without shader-f16, EngineError where a gradient would have to flow through.
 */
export function cast(x: Tensor, dtype: 'f32' | 'f16'): Tensor {
  if (x.dtype === dtype) return x;
  if (x.dtype !== 'f32' && x.dtype !== 'f16') throw new DtypeError(`cast: ${describe(x)} must be f32 or f16`);
  const { device } = x;
  if (!device.hasF16) throw new DtypeError(`cast: ${describe(x)} to ${dtype}: the device lacks shader-f16`);
  if (willRecord(x)) throw new EngineError(`cast: ${describe(x)} requires a gradient; cast has no backward`);
  const y = device.empty(x.shape, dtype, x.name);
  // Parts start at multiples of what both bindings can start at.
  const step = device.bindingAlignment / 2;
  const most = Math.floor(device.maxBindingBytes / 4 / step) * step;
  for (let first = 0; first < x.size; first += most) {
    const n = Math.min(most, x.size - first);
    const [from, to] = [x.range(first, n), y.range(first, n)];
    const shared = {
      kernel: 'cast',
      constants: { Half: 'f16' },
      params: { n },
      grid: linearGrid(Math.ceil(n / 2 / pairsPerGroup)),
      bytes: 6 * n,
    } as const;
    if (dtype === 'f16') device.run({ ...shared, entry: 'to_half', buffers: { x_single: from, y_half: to } });
    else device.run({ ...shared, entry: 'to_single', buffers: { x_half: from, y_single: to } });
  }
  return y;
}
