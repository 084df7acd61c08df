// BERT as one tower for mentions and entities (Devlin et al. 2019, arXiv:1810.04805): the last layer's [CLS] at length 1,
// S = exp(logit_scale) z_m . z_e. A cosine, because raw [CLS] products start with a saturated softmax; no pooler.

import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { Bert, type BertConfig, type BertDropout } from '../../bert/bert.ts';
import { clsOf, type PackedText } from '../../bert/packed-texts.ts';
import type { ParameterSource } from '../../parameter-source.ts';

/** CLIP's temperature, from which the scale of similarities is learnt on. */
const firstLogitScale = Math.log(1 / 0.07);

export class BertTower {
  /** The scale's logarithm: []. */
  readonly logitScale: Tensor;
  #bert: Bert;

  constructor(p: ParameterSource, config: BertConfig) {
    this.#bert = new Bert(p, config);
    this.logitScale = p.parameter('logit_scale', [], { value: firstLogitScale });
  }

  /** Packed texts -> [texts, d], each of length 1. */
  encode(texts: readonly PackedText[], dropped?: BertDropout): Tensor {
    return l2Normalize(clsOf(this.#bert, texts, dropped));
  }
}
