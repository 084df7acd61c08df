// The learned scale of cosines, exp(logit_scale), as CLIP has it (Radford et al. 2021, arXiv:2103.00020). Its bounds act on the
// parameter after each step of the optimiser; the forward pass is a plain exp.

import { noGrad } from '../../engine/autograd.ts';
import { affine, exp, mul, relu, scale, sub } from '../../engine/ops/elementwise.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { ParameterSource } from '../parameter-source.ts';

/** Where CLIP's scale starts. */
const usualStart = Math.log(1 / 0.07);

export class LogitScale {
  /** Its logarithm: []. */
  readonly parameter: Tensor;
  readonly #least: number;
  readonly #most: number;

  /** Bounds are those of the scale itself. CLIP has the upper one, 100. */
  constructor(parameter: Tensor, { least = 0, most = 100 }: { least?: number; most?: number } = {}) {
    this.parameter = parameter;
    this.#least = least;
    this.#most = most;
  }

  /** Declares `logit_scale`. */
  static declare(p: ParameterSource): Tensor {
    return p.parameter('logit_scale', [], { value: usualStart });
  }

  /** x exp(logit_scale), any shape. */
  times(x: Tensor): Tensor {
    return mul(x, exp(this.parameter));
  }

  /** Brings the parameter back into its bounds; exact where it is within. */
  bound(): void {
    const s = this.parameter;
    if (!s.requiresGrad) return;
    const { device } = s;
    device.scope(() =>
      noGrad(() => {
        let bounded = sub(s, relu(affine(s, 1, -Math.log(this.#most))));
        if (this.#least > 0)
          bounded = sub(bounded, scale(relu(affine(bounded, -1, Math.log(this.#least))), -1));
        device.copy(bounded, s);
      }),
    );
  }
}
