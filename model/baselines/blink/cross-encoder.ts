// BLINK's cross-encoder (Wu et al. 2020, arXiv:1911.03814): a BERT reads mention and candidate together; [CLS] -> linear, tanh ->
// dropout -> linear -> the pair's score.

import { dropout } from '../../../engine/ops/dropout.ts';
import { reshape } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { Bert, type BertConfig, type BertDropout, BertPooler } from '../../bert/bert.ts';
import { clsOf, type PackedText } from '../../bert/packed-texts.ts';
import type { Linear } from '../../layers.ts';
import type { ParameterSource } from '../../parameter-source.ts';

export class CrossEncoder {
  #bert: Bert;
  #pooler: BertPooler;
  #classifier: Linear;

  constructor(p: ParameterSource, config: BertConfig) {
    this.#bert = new Bert(p, config);
    this.#pooler = new BertPooler(p, config);
    const start = { weight: { deviation: 0.02 }, bias: { value: 0 } };
    this.#classifier = p.linear('classifier', config.width, 1, start);
  }

  /** What the classifier reads of packed pairs: [pairs, d]. */
  pooled(pairs: readonly PackedText[], dropped?: BertDropout): Tensor {
    return this.#pooler.poolFirst(clsOf(this.#bert, pairs, dropped));
  }

  /** pooled [mentions x candidates, d], a mention's candidates one after another -> scores [mentions, candidates]. */
  scores(pooled: Tensor, mentions: number, dropped?: BertDropout): Tensor {
    const kept = dropped ? dropout(pooled, dropped.rate, dropped.random) : pooled;
    return reshape(this.#classifier(kept), [mentions, pooled.shape[0]! / mentions]);
  }
}
