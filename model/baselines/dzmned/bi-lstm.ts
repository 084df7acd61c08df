// A bidirectional LSTM of one layer (torch.nn.LSTM's parameters) that gives one vector a sequence.

import { add } from '../../../engine/ops/elementwise.ts';
import { linear } from '../../../engine/ops/linear.ts';
import { lstm } from '../../../engine/ops/sequence/lstm.ts';
import { concat } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { ParameterSource } from '../../parameter-source.ts';

interface Direction {
  reverse: boolean;
  /** [4H, inputs] and [4H, H], gates i, f, g, o. */
  weightIh: Tensor;
  weightHh: Tensor;
  /** [4H] each. */
  biasIh: Tensor;
  biasHh: Tensor;
}

export class BiLstm {
  #directions: readonly Direction[];

  /** H: `hidden`. */
  constructor(p: ParameterSource, inputs: number, hidden: number) {
    const start = { bound: hidden ** -0.5 };
    this.#directions = [false, true].map((reverse) => {
      const of = (name: string, ...columns: number[]) =>
        p.parameter(`${name}_l0${reverse ? '_reverse' : ''}`, [4 * hidden, ...columns], start);
      return {
        reverse,
        weightIh: of('weight_ih', inputs),
        weightHh: of('weight_hh', hidden),
        biasIh: of('bias_ih'),
        biasHh: of('bias_hh'),
      };
    });
  }

  /**
   * The state after the last real step, and that of the other direction at the first: x [B, L, inputs], mask i32 [B, L], real
   * steps first -> [B, 2H]. What stands on padding must be numbers.
   */
  states(x: Tensor, mask: Tensor): Tensor {
    const each = this.#directions.map(({ reverse, weightIh, weightHh, biasIh, biasHh }) =>
      lstm(linear(x, weightIh, add(biasIh, biasHh)), weightHh, mask, { reverse }),
    );
    return concat(each, 1);
  }
}
