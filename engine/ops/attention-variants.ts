// The attention kernels and the constants to try them with, by adapter. Variants offered on one adapter
// give the same bits, so that tuning never changes a result.

import type { KernelName } from '../../shaders/index.ts';
import type { Device } from '../device.ts';
import type { Tensor } from '../tensor.ts';

export interface AttentionVariant {
  kernel: KernelName;
  constants: Readonly<Record<string, number>>;
  /** Queries that one workgroup owns. */
  queries: number;
}

/** The kernel whose entries `queries` and `keys` make dq, and dk with dv. */
export interface AttentionBackwardVariant {
  kernel: KernelName;
  constants: Readonly<Record<string, number | boolean>>;
  /** Queries, or keys, that one workgroup owns. */
  rows: number;
  /** The operands by the names that the kernel has for them. */
  operands(
    entry: 'queries' | 'keys',
    operands: Record<'q' | 'k' | 'v' | 'dout', Tensor>,
  ): Record<string, Tensor>;
  /** How to run `row_dots`. */
  dots: { kernel: KernelName; constants: Readonly<Record<string, number | boolean>>; rows: number };
}

/** Variants by label, the default first. */
export function attentionVariants(
  device: Device,
  headSize: number,
): Readonly<Record<string, AttentionVariant>> {
  if (device.isCpu) return device.subgroupSize >= 8 ? { subgroup } : { register };
  if (device.subgroupSize >= 4) return { quad };
  // Keys and values wait in workgroup memory: 16 kB is what every device has.
  const keys = headSize > 64 ? 8 : 16;
  return {
    'tiled 64': tiled(64, keys),
    'tiled 32': tiled(32, keys),
    'tiled 128': tiled(128, keys),
  };
}

/** The backward kernel of an adapter. */
export function attentionBackwardVariant(device: Device, headSize: number): AttentionBackwardVariant {
  // An invocation owns a row: eight fill a CPU adapter's vector, a GPU wants more and stages the other side.
  const rows = device.isCpu ? 8 : 64;
  const direct: AttentionBackwardVariant = {
    kernel: 'attention-backward',
    constants: { ROWS: rows, STEP: headSize > 64 ? 8 : 16, STAGED: !device.isCpu },
    rows,
    operands: (_, operands) => operands,
    dots: { kernel: 'attention-backward', constants: { ROWS: rows, STAGED: !device.isCpu }, rows },
  };
  if (device.isCpu) return device.subgroupSize >= 8 ? { ...direct, ...subgroupBackward } : direct;
  return device.subgroupSize >= 4 ? quadBackward : direct;
}

const subgroupBackward: Omit<AttentionBackwardVariant, 'dots'> = {
  kernel: 'attention-backward-subgroup',
  constants: {},
  rows: 16,
  operands: (entry, { q, k, v, dout }) =>
    entry === 'queries'
      ? { own_a: q, own_b: dout, other_a: k, other_b: v }
      : { own_a: k, own_b: v, other_a: q, other_b: dout },
};

const quadBackward: AttentionBackwardVariant = {
  kernel: 'attention-backward-quad',
  constants: {},
  rows: 32,
  operands: (_, operands) => operands,
  dots: { kernel: 'attention-backward-quad', constants: {}, rows: 32 },
};

const quad: AttentionVariant = { kernel: 'attention-quad', constants: {}, queries: 32 };
const subgroup: AttentionVariant = { kernel: 'attention-subgroup', constants: {}, queries: 16 };
const register: AttentionVariant = { kernel: 'attention-register', constants: {}, queries: 16 };

function tiled(queries: number, keys: number): AttentionVariant {
  return { kernel: 'attention-tiled', constants: { QUERIES: queries, KEYS: keys }, queries };
}
