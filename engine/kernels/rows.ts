// How kernels that work along the last axis share out its rows. On a CPU adapter an invocation computes a row
// (8 neighbours fill a SIMD vector, nothing crosses lanes); on a GPU up to 256 invocations share one and
// meet in workgroup memory. Both are the same kernel text under other constants.

import { type Device, linearGrid } from '../device.ts';
import { ShapeError } from '../errors.ts';
import { describe, type Tensor } from '../tensor.ts';

/** The rows of a tensor along its last axis: all leading dimensions together, and the axis' length. */
export function rowsOf(op: string, x: Tensor): { rows: number; n: number } {
  const n = x.shape.at(-1);
  if (n === undefined) throw new ShapeError(`${op}: x (${describe(x)}) must have an axis`);
  return { rows: x.size / n, n };
}

/** How a row kernel is specialised and started for rows of `n` scalars. */
export interface RowShape {
  /** LANES invocations share a row, a workgroup has ROWS rows; see the kernels. */
  constants: { LANES: number; ROWS: number };
  /** For kernels that read vec4 where rows divide into them: their element type and its share in a sum. */
  elements: { Element: 'f32' | 'vec4f'; SHARE: number };
  /** Elements a row. */
  length: number;
  /** Workgroups for so many rows. */
  grid: (rows: number) => [number, number, number];
}

export function rowShape(device: Device, n: number, allowVectors = true): RowShape {
  const vectors = allowVectors && n % 4 === 0;
  const length = vectors ? n / 4 : n;
  // Four elements or fewer a lane, as far as 256 lanes reach; short rows come several to a workgroup.
  const lanes = device.isCpu ? 1 : Math.min(256, Math.max(8, 2 ** Math.ceil(Math.log2(length / 4))));
  const rows = device.isCpu ? 8 : Math.max(1, 64 / lanes);
  return {
    constants: { LANES: lanes, ROWS: rows },
    elements: vectors ? { Element: 'vec4f', SHARE: 1 } : { Element: 'f32', SHARE: 0.25 },
    length,
    grid: (count) => linearGrid(Math.ceil(count / rows)),
  };
}
