// Maxima whose gradient goes to the one element that was the largest: over the steps of sequences, and over tensors.

import { record, willRecord } from '../../autograd.ts';
import { linearGrid } from '../../device.ts';
import { ShapeError } from '../../errors.ts';
import { rowParts } from '../../kernels/parts.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';
import { concat, reshape } from '../shape.ts';

/**
 * x [B, L, d] -> [B, d]: the largest over the L steps of each sequence, or over those that are not 0 in mask [B, L]
 * i32. f32. Of equal values the first one gets the gradient, as in PyTorch. NaN if a step that counts is; -Infinity,
 * and no gradient, for a sequence of which the mask leaves nothing. Throws ShapeError, DtypeError.
 */
export function maxOverTime(x: Tensor, mask?: Tensor): Tensor {
  checkShapes(x, mask);
  const { device } = x;
  const [B, L, d] = x.shape as [number, number, number];
  const y = device.empty([B, d], 'f32', 'maxOverTime');
  const steps = device.empty([B, d], 'u32', 'steps of the maxima');
  const parts = rowParts(device, B, [4 * L * d, 4 * d, ...(mask ? [4 * L] : [])]).map(({ first, count }) => ({
    first,
    count,
    shared: {
      kernel: 'max-over-time',
      params: { batch: count, length: L, width: d, lowest: Number.NEGATIVE_INFINITY },
      grid: linearGrid(Math.ceil((count * d) / 64)),
      flops: count * L * d,
      bytes: 4 * count * d * (L + 2),
    } as const,
    standing: () => steps.range(first * d, count * d),
  }));
  for (const { first, count, shared, standing } of parts) {
    device.run({
      ...shared,
      entry: 'forward',
      constants: { HAS_MASK: mask !== undefined },
      buffers: {
        x: x.range(first * L * d, count * L * d),
        mask: mask?.range(first * L, count * L) ?? device.dummy(),
        y: y.range(first * d, count * d),
        steps: standing(),
      },
    });
  }
  if (!willRecord(x)) steps.release();
  return record(y, [x], (dy) => {
    const dx = device.empty(x.shape, 'f32', 'd maxOverTime');
    for (const { first, count, shared, standing } of parts) {
      const buffers = {
        dy: dy.range(first * d, count * d),
        dx: dx.range(first * L * d, count * L * d),
        steps: standing(),
      };
      device.run({ ...shared, entry: 'backward', buffers });
    }
    return [dx];
  });
}

/**
 * The largest of several tensors of one shape, element by element; of equal ones the first gets the gradient, as in
 * PyTorch's `torch.stack(parts).max(0)`. f32. NaN if one of them is. Throws ShapeError, DtypeError.
 */
export function maximum(parts: readonly Tensor[]): Tensor {
  const [head] = parts;
  const odd = parts.find((part) => `${part.shape}` !== `${head!.shape}`);
  if (!head || odd) {
    throw new ShapeError(
      head ? `maximum: ${describe(odd!)} has not the shape of ${describe(head)}` : 'maximum: no tensors',
    );
  }
  const rows = parts.map((part) => reshape(part, [1, head.size]));
  const largest = maxOverTime(reshape(concat(rows, 0), [1, parts.length, head.size]));
  return reshape(largest, head.shape);
}

function checkShapes(x: Tensor, mask: Tensor | undefined): void {
  checkOperands('maxOverTime', { x });
  if (x.rank !== 3) throw new ShapeError(`maxOverTime: x (${describe(x)}) must be [batch, length, width]`);
  if (!mask) return;
  checkOperands('maxOverTime', { mask }, 'i32');
  const expected = x.shape.slice(0, 2);
  if (`${mask.shape}` !== `${expected}`) {
    throw new ShapeError(
      `maxOverTime: mask (${describe(mask)}) must be [${expected}] for x (${describe(x)})`,
    );
  }
}
