// Phrases of a text: at each token, the largest of what convolutions over one, two and three tokens find there.

import { mul, relu } from '../../../engine/ops/elementwise.ts';
import { conv1d } from '../../../engine/ops/sequence/conv1d.ts';
import { maximum } from '../../../engine/ops/sequence/max-over-time.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Norm } from '../../layers.ts';
import type { ParameterSource } from '../../parameter-source.ts';

/** Tokens of a phrase. Two see the one before, three the one after as well. */
const lengths = [1, 2, 3] as const;

interface Convolution {
  /** [h, h, tokens of the phrase] */
  weight: Tensor;
  bias: Tensor;
  norm: Norm;
}

export class Phrases {
  #convolutions: Convolution[];

  constructor(p: ParameterSource, width: number) {
    this.#convolutions = lengths.map((k) => {
      // As PyTorch starts a convolution.
      const start = { bound: (width * k) ** -0.5 };
      return {
        weight: p.parameter(`conv${k}.weight`, [width, width, k], start),
        bias: p.parameter(`conv${k}.bias`, [width], start),
        norm: p.norm(`conv${k}_norm`, width),
      };
    });
  }

  /** tokens [B, L, h]; real [B, L, 1]: 1 on real tokens, 0 on padding -> [B, L, h]. */
  of(tokens: Tensor, real: Tensor): Tensor {
    const seen = mul(tokens, real);
    return maximum(
      this.#convolutions.map(({ weight, bias, norm }) => norm(relu(conv1d(seen, weight, bias)))),
    );
  }
}
