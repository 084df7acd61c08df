// The matrix multiplication kernels and the constants to try them with, by adapter. All variants offered
// on one adapter sum in the same order, so that which of them runs never changes a bit of a result.

import type { KernelName } from '../../shaders/index.ts';
import type { Device } from '../device.ts';

export interface GemmVariant {
  kernel: KernelName;
  constants: Readonly<Record<string, number>>;
  /** Rows and columns of C that one workgroup owns. */
  tileM: number;
  tileN: number;
}

/** Variants by label, the default first. */
export function gemmVariants(device: Device): Readonly<Record<string, GemmVariant>> {
  if (!device.isCpu) return gpuVariants;
  return device.subgroupSize >= 8 ? { subgroup, register } : { register };
}

/** True when four consecutive elements can be loaded at once: rows and matrices start at multiples of four. */
export function vectorised(rowStride: number, batchStride: number): boolean {
  return rowStride % 4 === 0 && batchStride % 4 === 0;
}

const register: GemmVariant = { kernel: 'matmul-register', constants: {}, tileM: 32, tileN: 32 };
const subgroup: GemmVariant = { kernel: 'matmul-subgroup', constants: {}, tileM: 32, tileN: 32 };

function tiled(tileM: number, tileN: number, tileK: number, rows: number, columns: number): GemmVariant {
  const constants = { TILE_M: tileM, TILE_N: tileN, TILE_K: tileK, ROWS: rows, COLS: columns };
  return { kernel: 'matmul-tiled', constants, tileM, tileN };
}

const gpuVariants = {
  'tiled 64x64': tiled(64, 64, 16, 4, 4),
  'tiled 32x32': tiled(32, 32, 16, 2, 2),
  'tiled 128x64': tiled(128, 64, 16, 8, 4),
  'tiled 128x128': tiled(128, 128, 8, 8, 8),
};
