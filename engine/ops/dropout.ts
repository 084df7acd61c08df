// Dropout. Its mask is never stored: the backward draws the same random numbers again.

import { record } from '../autograd.ts';
import { EngineError } from '../errors.ts';
import { blockGrid, forParts, streamParams } from '../kernels/random.ts';
import type { Random, Stream } from '../random.ts';
import { checkOperands, type Tensor } from '../tensor.ts';

/**
 * Inverted dropout: each element becomes 0 with probability `rate`, the others grow by 1 / (1 - rate). A rate
 * of 0 gives x itself and draws nothing. f32. Throws EngineError unless 0 <= rate < 1.
 */
export function dropout(x: Tensor, rate: number, random: Random): Tensor {
  checkOperands('dropout', { x });
  if (!(rate >= 0 && rate < 1)) throw new EngineError(`dropout: rate ${rate} must be at least 0 and below 1`);
  if (rate === 0) return x;
  const stream = random.next(x.size);
  return record(thinned(x, rate, stream), [x], (dy) => [thinned(dy, rate, stream)]);
}

function thinned(x: Tensor, rate: number, stream: Stream): Tensor {
  const { device } = x;
  const y = device.empty(x.shape, 'f32', 'dropout');
  const threshold = Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1);
  forParts(device, x.size, (first, n) => {
    device.run({
      kernel: 'random',
      entry: 'dropout',
      buffers: { x: x.range(first, n), y: y.range(first, n) },
      params: { n, ...streamParams(stream, first), threshold, factor: 1 / (1 - rate) },
      grid: blockGrid(n),
      bytes: 8 * n,
    });
  });
  return y;
}
