// How the baseline CLIP makes one vector of a side's text and image, both unit vectors in CLIP's common space. Scores are
// s z_m . z_e with a learned scale s. B samples; t, v [B, d_z].

import { add, scale } from '../../../engine/ops/elementwise.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { concat } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import type { Linear } from '../../layers.ts';
import type { ParameterSource } from '../../parameter-source.ts';
import { LogitScale } from '../logit-scale.ts';

export interface Fusion {
  /** Columns of z for embeds of so many. */
  width(projection: number): number;
  /** z [B, width]. */
  vectors(side: Side, t: Tensor, v: Tensor): Tensor;
}

/** z = [t; v] / sqrt 2: z_m . z_e = (t_m . t_e + v_m . v_e) / 2. */
export const concatenation: Fusion = {
  width: (projection) => 2 * projection,
  vectors: (_side, t, v) => scale(concat([t, v], 1), Math.SQRT1_2),
};

/** z = (t + v) / sqrt 2: z_m . z_e = (t_m . t_e + v_m . v_e + t_m . v_e + v_m . t_e) / 2. */
export const addition: Fusion = {
  width: (projection) => projection,
  vectors: (_side, t, v) => scale(add(t, v), Math.SQRT1_2),
};

/** z = norm(W [t; v] + b), one linear layer a side, and the scale of their cosines. */
export class Heads implements Fusion {
  /** The scale's logarithm: []. */
  readonly logitScale: Tensor;
  #layers: Readonly<Record<Side, Linear>>;

  constructor(p: ParameterSource, projection: number) {
    this.logitScale = LogitScale.declare(p);
    this.#layers = {
      mention: p.linear('mention', 2 * projection, projection),
      entity: p.linear('entity', 2 * projection, projection),
    };
  }

  width(projection: number): number {
    return projection;
  }

  vectors(side: Side, t: Tensor, v: Tensor): Tensor {
    return l2Normalize(this.#layers[side](concat([t, v], 1)));
  }
}
