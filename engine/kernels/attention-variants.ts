// The attention kernels and the constants to try them with, by adapter. Variants offered on one adapter
// give the same bits, so that tuning never changes a result.

import type { ConstantsOf } from '../../shaders/index.ts';
import type { Device } from '../device.ts';

type AttentionKernel = 'attention-quad' | 'attention-register' | 'attention-subgroup' | 'attention-tiled';
type AttentionBackwardKernel =
  | 'attention-backward'
  | 'attention-backward-quad'
  | 'attention-backward-subgroup';

interface AttentionVariant {
  kernel: AttentionKernel;
  constants: ConstantsOf<AttentionKernel>;
  /** Queries that one workgroup computes. */
  queries: number;
}

/** The kernel whose entries `queries` and `keys` make dq, and dk with dv. */
interface AttentionBackwardVariant {
  kernel: AttentionBackwardKernel;
  constants: ConstantsOf<AttentionBackwardKernel>;
  /** Queries, or keys, that one workgroup computes. */
  rows: number;
  /** How to run `row_dots`. */
  dots: {
    kernel: 'attention-backward' | 'attention-backward-quad';
    constants: ConstantsOf<'attention-backward'>;
    rows: number;
  };
}

/** Variants by label, the default first. */
export function attentionVariants(
  device: Device,
  headSize: number,
): Readonly<Record<string, AttentionVariant>> {
  if (device.isBrief && device.isCpu) return { brief };
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
  // An invocation computes a row: eight fill a CPU adapter's vector, a GPU wants more and stages the other side.
  const rows = device.isCpu ? 8 : 64;
  const direct: AttentionBackwardVariant = {
    kernel: 'attention-backward',
    constants: { ROWS: rows, STEP: headSize > 64 ? 8 : 16, STAGED: !device.isCpu },
    rows,
    dots: { kernel: 'attention-backward', constants: { ROWS: rows, STAGED: !device.isCpu }, rows },
  };
  if (device.isCpu) return device.subgroupSize >= 8 ? { ...direct, ...subgroupBackward } : direct;
  return device.subgroupSize >= 4 ? quadBackward : direct;
}

const subgroupBackward: Omit<AttentionBackwardVariant, 'dots'> = {
  kernel: 'attention-backward-subgroup',
  constants: {},
  rows: 16,
};

const quadBackward: AttentionBackwardVariant = {
  kernel: 'attention-backward-quad',
  constants: {},
  rows: 32,
  dots: { kernel: 'attention-backward-quad', constants: {}, rows: 32 },
};

const quad: AttentionVariant = { kernel: 'attention-quad', constants: {}, queries: 32 };
const subgroup: AttentionVariant = { kernel: 'attention-subgroup', constants: {}, queries: 16 };
const register: AttentionVariant = { kernel: 'attention-register', constants: {}, queries: 16 };

// SwiftShader compiles it in a seventh of the time of the register kernel, which is faster once it is compiled.
const brief: AttentionVariant = tiled(8, 4);

function tiled(queries: number, keys: number): AttentionVariant {
  return { kernel: 'attention-tiled', constants: { QUERIES: queries, KEYS: keys }, queries };
}
