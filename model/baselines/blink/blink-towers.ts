// BLINK's bi-encoder (Wu et al. 2020, arXiv:1911.03814): a BERT for mentions and one for entities, S = h_m . h_e of the last
// layer's [CLS], without pooler and norm.

import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import { Bert, type BertConfig, type BertDropout } from '../../bert/bert.ts';
import { clsOf, type PackedText } from '../../bert/packed-texts.ts';
import type { ParameterSource } from '../../parameter-source.ts';

export class BlinkTowers {
  #towers: Readonly<Record<Side, Bert>>;

  constructor(p: ParameterSource, config: BertConfig) {
    this.#towers = {
      mention: new Bert(p.under('mention'), config),
      entity: new Bert(p.under('entity'), config),
    };
  }

  /** Packed texts -> [texts, d]. */
  encode(side: Side, texts: readonly PackedText[], dropped?: BertDropout): Tensor {
    return clsOf(this.#towers[side], texts, dropped);
  }
}
