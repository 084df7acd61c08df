// Learned positions of an image's patches for another number of patches: their grid is interpolated as ALBEF's
// interpolate_pos_embed and PyTorch's bicubic interpolation (align_corners=False, without antialiasing) do, by Keys'
// cubic convolution with a = -0.75. It is a matrix product, so gradients flow back into the positions.

import type { Device } from '../../engine/device.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import { concat, reshape, slice } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';

const a = -0.75;

/** positions [1, 1 + g^2, d], CLS first, then the grid row by row -> [1, 1 + grid^2, d]; the same tensor where grid is g. */
export function positionsFor(positions: Tensor, grid: number): Tensor {
  const [, N, d] = positions.shape as [number, number, number];
  const side = Math.round(Math.sqrt(N - 1));
  if (side === grid) return positions;
  const { device } = positions;
  return device.scope(() => {
    const learned = reshape(slice(positions, 1, 1, N - 1), [N - 1, d]);
    const patches = matmul(gridWeights(device, side, grid), learned); // [grid^2, d]
    return concat([slice(positions, 1, 0, 1), reshape(patches, [1, grid * grid, d])], 1);
  });
}

/** What each place of the new grid takes of each of the old one: [to^2, from^2]. */
function gridWeights(device: Device, from: number, to: number): Tensor {
  const axis = axisWeights(from, to);
  const weights = new Float32Array(to ** 2 * from ** 2);
  for (let y = 0; y < to; y++) {
    for (let x = 0; x < to; x++) {
      for (let v = 0; v < from; v++) {
        for (let u = 0; u < from; u++) {
          weights[((y * to + x) * from + v) * from + u] = axis[y]![v]! * axis[x]![u]!;
        }
      }
    }
  }
  return device.tensor([to ** 2, from ** 2], weights, { name: 'interpolation of positions' });
}

/** The same along one axis; beyond its ends the grid goes on as they are. */
function axisWeights(from: number, to: number): Float64Array[] {
  return Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to - 0.5;
    const first = Math.floor(centre) - 1;
    const weights = new Float64Array(from);
    for (let k = first; k < first + 4; k++) {
      weights[Math.min(from - 1, Math.max(0, k))]! += cubic(Math.abs(centre - k));
    }
    return weights;
  });
}

function cubic(x: number): number {
  return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}
