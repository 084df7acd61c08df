// The kernels of ragged mean attention and their constants, by adapter and shape.

import type { ConstantsOf } from '../../shaders/index.ts';
import type { Device } from '../device.ts';

type RaggedMeanAttentionKernel =
  | 'ragged-mean-attention'
  | 'ragged-mean-attention-panel'
  | 'ragged-mean-attention-shared';

interface RaggedMeanAttentionVariant {
  kernel: RaggedMeanAttentionKernel;
  constants: ConstantsOf<RaggedMeanAttentionKernel>;
  /** Mentions that one workgroup computes. */
  mentions: number;
  /**
   * Rows of consecutive entities that one workgroup takes: so many that the keys, which it loads once, and its last
   * rows hardly count.
   */
  rows: number;
}

/** Widest keys of which the panel's part for a lane stays in a processor's first cache. */
const widestPanel = 96;
/** Keys that a lane of the panel holds, of however many mentions; and a lane of the shared kernel, of one. */
const panelKeys = 12;
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
  if (device.subgroupSize < 8 || keys > 8 * panelKeys) return plain(device, keys);
  if (device.isCpu) return width <= widestPanel && width % 4 === 0 ? panel(keys, width) : plain(device, keys);
  return sharedBytes(keys, width) <= device.gpu.limits.maxComputeWorkgroupStorageSize
    ? shared(device, keys, width)
    : plain(device, keys);
}

/** Workgroup memory for the keys of a mention. */
function sharedBytes(keys: number, width: number): number {
  return 4 * 8 * Math.ceil(keys / 8) * 4 * Math.ceil(width / 4);
}

/** Up to 32 invocations share an entity: groups of 8, each with rows of its own. */
function shared(device: Device, keys: number, width: number): RaggedMeanAttentionVariant {
  const rowGroups = device.subgroupSize >= 32 ? 4 : device.subgroupSize >= 16 ? 2 : 1;
  const constants = { COLUMNS: Math.ceil(keys / 8), FOURS: Math.ceil(width / 4), ROW_GROUPS: rowGroups };
  return { kernel: 'ragged-mean-attention-shared', constants, mentions: 1, rows: 1024 };
}

/** Each of 8 lanes holds as many keys of a mention, of as many mentions as fit. */
function panel(keys: number, width: number): RaggedMeanAttentionVariant {
  const columns = Math.ceil(keys / 8);
  const mentions = Math.floor(panelKeys / columns);
  return {
    kernel: 'ragged-mean-attention-panel',
    constants: { CHUNKS: Math.ceil(width / 32), COLUMNS: columns, MENTIONS: mentions },
    mentions,
    rows: 1024,
  };
}

/** Tiles of 64 rows; of fewer where workgroup memory could not hold the scores of so many keys. */
function plain(device: Device, keys: number): RaggedMeanAttentionVariant {
  if (device.isBrief && device.isCpu && keys <= briefKeys) return brief;
  let rowLanes = 8;
  while (rowLanes * keys > mostKeys) rowLanes /= 2;
  // A CPU adapter's vector is filled by 8 invocations, a GPU's subgroup by 32.
  const keyLanes = (device.isCpu ? 8 : 32) / rowLanes;
  return {
    kernel: 'ragged-mean-attention',
    constants: { ROW_LANES: rowLanes, KEY_LANES: keyLanes, KEYS: mostKeys / rowLanes },
    mentions: 1,
    rows: device.isCpu ? 1024 : 256,
  };
}

const briefKeys = 56;
/**
 * The least workgroup memory: SwiftShader compiles a store for each number of it, to begin with 0, which with tiles of 64 rows
 * is most of two seconds.
 */
const brief: RaggedMeanAttentionVariant = {
  kernel: 'ragged-mean-attention',
  constants: { ROW_LANES: 1, KEY_LANES: 4, KEYS: briefKeys },
  mentions: 1,
  rows: 1024,
};
