// The attention kernels and the constants to try them with, by adapter. Variants offered on one adapter
// give the same bits, so that tuning never changes a result.

import type { KernelName } from '../../shaders/index.ts';
import type { Device } from '../device.ts';

export interface AttentionVariant {
  kernel: KernelName;
  constants: Readonly<Record<string, number>>;
  /** Queries that one workgroup owns. */
  queries: number;
}

/** Variants by label, the default first. */
export function attentionVariants(device: Device, headSize: number): Readonly<Record<string, AttentionVariant>> {
  if (device.isCpu) return device.subgroupSize >= 8 ? { subgroup } : { register };
  // Keys and values wait in workgroup memory: 16 kB is what every device has.
  const keys = headSize > 64 ? 8 : 16;
  return {
    'tiled 64': tiled(64, keys),
    'tiled 32': tiled(32, keys),
    'tiled 128': tiled(128, keys),
  };
}

const subgroup: AttentionVariant = { kernel: 'attention-subgroup', constants: {}, queries: 16 };
const register: AttentionVariant = { kernel: 'attention-register', constants: {}, queries: 16 };

function tiled(queries: number, keys: number): AttentionVariant {
  return { kernel: 'attention-tiled', constants: { QUERIES: queries, KEYS: keys }, queries };
}
