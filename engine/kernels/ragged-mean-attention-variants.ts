// The kernels of ragged mean attention and their constants, by adapter and shape.

import type { ConstantsOf } from '../../shaders/index.ts';
import type { Device } from '../device.ts';

type RaggedMeanAttentionKernel = 'ragged-mean-attention' | 'ragged-mean-attention-panel';

export interface RaggedMeanAttentionVariant {
  kernel: RaggedMeanAttentionKernel;
  constants: ConstantsOf<RaggedMeanAttentionKernel>;
  /** Mentions that one workgroup owns. */
  mentions: number;
}

/** Widest keys of which the panel's part for a lane stays in a processor's first cache. */
const widestPanel = 96;
/** Keys that a lane of the panel holds, of however many mentions. */
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
  const hasSubgroups = device.isCpu && device.subgroupSize >= 8;
  const fits = keys <= 8 * panelKeys && width <= widestPanel && width % 4 === 0;
  return hasSubgroups && fits ? panel(keys, width) : plain(device, keys);
}

/** Each of 8 lanes holds as many keys of a mention, of as many mentions as fit. */
function panel(keys: number, width: number): RaggedMeanAttentionVariant {
  const columns = Math.ceil(keys / 8);
  const mentions = Math.floor(panelKeys / columns);
  return {
    kernel: 'ragged-mean-attention-panel',
    constants: { CHUNKS: Math.ceil(width / 32), COLUMNS: columns, MENTIONS: mentions },
    mentions,
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
