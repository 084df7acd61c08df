// Dropout. Its mask is never stored: the backward draws the same random numbers again.

import { record } from '../autograd.ts';
import { EngineError, ShapeError } from '../errors.ts';
import { blockGrid, forParts, streamParams } from '../kernels/random.ts';
import type { Random, Stream } from '../random.ts';
import { checkOperands, describe, type Tensor } from '../tensor.ts';

/**
 * Inverted dropout: each element becomes 0 with probability `rate`, the others grow by 1 / (1 - rate). A rate
 * of 0 gives x itself and draws nothing. `every`: x is every so manieth row of a larger tensor, from the first on, and is
 * thinned as it would be there, which takes rows of a multiple of 4 elements. f32. Throws EngineError unless 0 <= rate < 1,
 * ShapeError for other rows.
 */
export function dropout(x: Tensor, rate: number, random: Random, every = 1): Tensor {
  checkOperands('dropout', { x });
  if (!(rate >= 0 && rate < 1)) throw new EngineError(`dropout: rate ${rate} must be at least 0 and below 1`);
  if (every > 1 && (x.shape.at(-1) ?? 1) % 4 !== 0) {
    throw new ShapeError(`dropout: rows of x (${describe(x)}) must be of a multiple of 4 elements`);
  }
  if (rate === 0) return x;
  const stream = random.next(every * x.size);
  return record(thinned(x, rate, stream, every), [x], (dy) => [thinned(dy, rate, stream, every)]);
}

function thinned(x: Tensor, rate: number, stream: Stream, every: number): Tensor {
  const { device } = x;
  const y = device.empty(x.shape, 'f32', 'dropout');
  const threshold = Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1);
  const rows = { row: every > 1 ? x.shape.at(-1)! / 4 : 1, every };
  forParts(device, x.size, (first, n) => {
    device.run({
      kernel: 'random',
      entry: 'dropout',
      buffers: { x: x.range(first, n), y: y.range(first, n) },
      params: { n, ...streamParams(stream, every * first), threshold, factor: 1 / (1 - rate), ...rows },
      grid: blockGrid(n),
      bytes: 8 * n,
    });
  });
  return y;
}
