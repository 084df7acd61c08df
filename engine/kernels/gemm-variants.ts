// The matrix multiplication kernels and the constants to run them with, by adapter. On GPUs tuning picks
// among several; all of those sum in the same order, so that which of them runs never changes a bit of a
// result. On CPU adapters the shape picks: the kernels differ too much there for a measurement to be needed,
// and each costs most of a second to compile.

import type { ConstantsOf, KernelName } from '../../shaders/index.ts';
import type { Device } from '../device.ts';

/** The kernels that compute a product; all have the same operands and parameters. */
export type GemmKernel = Extract<KernelName, `matmul-${string}`>;

export interface GemmVariant {
  kernel: GemmKernel;
  constants: ConstantsOf<GemmKernel>;
  /** Rows and columns of C that one workgroup computes. */
  tileM: number | ((sizes: GemmSizes) => number);
  tileN: number;
  /** Where a workgroup keeps a panel of B for all its rows: how much of k the panel has. */
  block?: number;
}

/** The sizes of a product as its kernels see them: batch strides and row lengths decide what can be loaded. */
export interface GemmSizes {
  m: number;
  n: number;
  k: number;
  batch: number;
  /** A is stored [k, m]. */
  transposeA: boolean;
  /** A and B are loaded four elements at a time. */
  vectorA: boolean;
  vectorB: boolean;
}

/** Variants by label that tuning may pick among, the default first. */
export function gemmVariants(device: Device, sizes: GemmSizes): Readonly<Record<string, GemmVariant>> {
  if (!device.isCpu) return gpuVariants(device, sizes);
  if (device.subgroupSize < 8) return { register };
  return hasPanel(sizes) ? panelVariant(sizes) : { subgroup };
}

/** Rows of C that a workgroup of the variant computes in a product of these sizes. */
export function rowsOf({ tileM }: GemmVariant, sizes: GemmSizes): number {
  return typeof tileM === 'number' ? tileM : tileM(sizes);
}

/** True when four consecutive elements can be loaded at once: rows and matrices start at multiples of four. */
export function vectorised(rowStride: number, batchStride: number): boolean {
  return rowStride % 4 === 0 && batchStride % 4 === 0;
}

/** Where A is stored [k, m], few rows do not repay the panel, which is as long as k there. */
const rowsRepayingLongPanel = 768;

function hasPanel({ m, n, k, transposeA, vectorA, vectorB }: GemmSizes): boolean {
  const fours = vectorA && vectorB && n % 4 === 0 && k % 4 === 0;
  return fours && (!transposeA || m >= rowsRepayingLongPanel);
}

/** Products that repay the compiling of a longer panel, in multiply-adds. */
const repayingLongerPanel = 1e8;

/**
 * The longer panel reads and writes C less often, if little of it is padding. The narrow one costs more loads for the same
 * products, so it must save some: those of padding. All sum in the same order.
 */
function panelVariant({ m, n, k, batch }: GemmSizes): Readonly<Record<string, GemmVariant>> {
  const padded = ({ block, tileN }: typeof panelWide) =>
    Math.ceil(k / block) * block * Math.ceil(n / tileN) * tileN;
  if (batch * m * n * k >= repayingLongerPanel && padded(panelLonger) <= 1.03 * padded(panelWide)) {
    return { 'panel 96x64': panelLonger };
  }
  return 1.2 * padded(panelNarrow) < padded(panelWide)
    ? { 'panel 96x32': panelNarrow }
    : { 'panel 64x64': panelWide };
}

const register: GemmVariant = { kernel: 'matmul-register', constants: {}, tileM: 32, tileN: 32 };
const subgroup: GemmVariant = { kernel: 'matmul-subgroup', constants: {}, tileM: 32, tileN: 32 };
const panelWide = panel(2, 2);
const panelLonger = panel(3, 2);
const panelNarrow = panel(3, 1);

function panel(chunks: number, columns: number) {
  const tileN = 32 * columns;
  const tileM = (sizes: GemmSizes) => panelRows(sizes, tileN);
  const constants = { CHUNKS: chunks, COLUMNS: columns };
  return { kernel: 'matmul-panel', constants, tileM, tileN, block: 32 * chunks } as const;
}

/**
 * Rows for a workgroup that keeps a panel of B. Bringing the panel costs as much as about 30 rows, so many
 * rows share one; fewer where else there would be too few workgroups for the processor's cores.
 */
function panelRows({ m, n, batch }: GemmSizes, tileN: number): number {
  const panels = Math.ceil(n / tileN) * batch;
  const shares = Math.ceil(fewestWorkgroups / panels);
  return Math.min(4 * Math.ceil(m / 4), Math.max(fewestRows, 4 * Math.ceil(m / shares / 4)));
}

const fewestWorkgroups = 16;
const fewestRows = 128;

/** A tile of C for a workgroup, in steps of `tileK`; an invocation computes `rows` by `columns` of it. */
function tiled(tileM: number, tileN: number, tileK: number, rows: number, columns: number) {
  const constants = { TILE_M: tileM, TILE_N: tileN, TILE_K: tileK, ROWS: rows, COLS: columns };
  const workgroupBytes = 4 * tileK * (tileM + 4 + tileN + 4);
  return { label: `tiled ${tileM}x${tileN}`, constants, tileM, tileN, workgroupBytes };
}

const gpuTiles = {
  small: tiled(32, 32, 32, 4, 4),
  middle: tiled(64, 64, 16, 8, 4),
  large: tiled(128, 128, 16, 8, 8),
};

/** Fewer tiles than this leave cores of a large GPU without work. */
const fewestTiles = 128;

/**
 * The tiles with the kernel that stores four sums at a time, or one. First the one that suits the size by rule: the
 * small one where there would be too few of the middle one, which is as good as the large one but for the largest.
 */
function gpuVariants(device: Device, { m, n, batch }: GemmSizes): Readonly<Record<string, GemmVariant>> {
  const kernel = n % 4 === 0 ? 'matmul-tiled-vec4' : 'matmul-tiled';
  const isSmall = Math.ceil(m / 64) * Math.ceil(n / 64) * batch < fewestTiles;
  const { small, middle, large } = gpuTiles;
  const tiles = (isSmall ? [small, middle, large] : [middle, small, large]).filter(
    ({ workgroupBytes }) => workgroupBytes <= device.gpu.limits.maxComputeWorkgroupStorageSize,
  );
  return Object.fromEntries(
    tiles.map(({ label, constants, tileM, tileN }) => [label, { kernel, constants, tileM, tileN }]),
  );
}
