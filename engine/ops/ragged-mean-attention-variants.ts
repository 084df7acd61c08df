// The kernels of ragged mean attention and their constants, by adapter and shape.

import type { KernelName } from '../../shaders/index.ts';
import type { Device } from '../device.ts';
import type { Specialisation } from '../wgsl.ts';

export interface RaggedMeanAttentionVariant {
  kernel: KernelName;
  constants: Specialisation;
  /** Mentions that one workgroup owns. */
  mentions: number;
}

/** Widest keys that the subgroup kernels hold in private memory: 192 kB of a thread's stack at most. */
const widestPrivate = 512;
/**
 * Most keys a mention may have: the scores of 8 rows with them fit the workgroup memory that every device
 * has.
 */
export const mostKeys = 448;

/** The kernel for mentions of `keys` keys of `width` numbers. */
export function raggedMeanAttentionVariant(
  device: Device,
  keys: number,
  width: number,
): RaggedMeanAttentionVariant {
  const hasSubgroups = device.isCpu && device.subgroupSize >= 8;
  if (!hasSubgroups || keys > 96 || width > widestPrivate) return plain(device, keys);
  return keys <= 64 ? subgroup(keys, width) : wide(keys, width);
}

/** Two blocks of 8 lanes times 2, 3 or 4 keys: of two mentions where they fit, else of one. */
function subgroup(keys: number, width: number): RaggedMeanAttentionVariant {
  const isPair = keys <= 32;
  return {
    kernel: 'ragged-mean-attention-subgroup',
    constants: { ...lanes(Math.max(2, Math.ceil(keys / (isPair ? 8 : 16))), width), PAIR: isPair },
    mentions: isPair ? 2 : 1,
  };
}

/** Three such blocks of one mention. */
function wide(keys: number, width: number): RaggedMeanAttentionVariant {
  return {
    kernel: 'ragged-mean-attention-wide',
    constants: lanes(Math.ceil(keys / 24), width),
    mentions: 1,
  };
}

/** What a lane holds of a block. */
function lanes(columns: number, width: number): Specialisation {
  return {
    COLUMNS: columns,
    Keys: `vec${columns}f`,
    AreKeys: `vec${columns}<bool>`,
    Block: `mat${columns}x4f`,
    // Few values: each is a kernel of its own, and what is too large costs nothing.
    FOURS: 8 * Math.ceil(width / 32),
  };
}

/** Tiles of 64 rows; of fewer where workgroup memory could not hold the scores of so many keys. */
function plain(device: Device, keys: number): RaggedMeanAttentionVariant {
  let rowLanes = 8;
  while (rowLanes * keys > mostKeys) rowLanes /= 2;
  // A CPU adapter's vector is filled by 8 invocations, a GPU's subgroup by 32.
  const keyLanes = (device.isCpu ? 8 : 32) / rowLanes;
  return {
    kernel: 'ragged-mean-attention',
    constants: { ROW_LANES: rowLanes, KEY_LANES: keyLanes },
    mentions: 1,
  };
}
