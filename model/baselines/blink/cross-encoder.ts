// BLINK's cross-encoder (Wu et al. 2020, arXiv:1911.03814): a BERT reads mention and candidate together; [CLS] -> linear, tanh ->
// dropout -> linear -> the pair's score. It reranks what the bi-encoder proposes.

import * as v from 'valibot';
import { packBoth } from '../../../data/text/wordpiece/packing.ts';
import type { Samples } from '../../../encoding/samples.ts';
import type { Device } from '../../../engine/device.ts';
import { dropout } from '../../../engine/ops/dropout.ts';
import { reshape } from '../../../engine/ops/shape.ts';
import type { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Batch, Side } from '../../../ranking/scorer.ts';
import { type Bert, type BertConfig, type BertDropout, BertPooler } from '../../bert/bert.ts';
import { clsOf, type PackedText } from '../../bert/packed-texts.ts';
import { checkLength, dropoutField, lengthField } from '../../bert/text-options.ts';
import { initialise } from '../../initialise.ts';
import type { Linear } from '../../layers.ts';
import type { ParameterSource } from '../../parameter-source.ts';
import { type BaselineParts, type BertPart, type ParameterGroups, parameterGroups } from '../baseline.ts';
import { candidatesField, type RerankerRecipe, type TrainedReranker } from '../trained-reranker.ts';
import { BlinkTexts } from './blink-texts.ts';

export const crossEncoderSchema = v.strictObject({
  contextLength: lengthField(64, 5),
  entityLength: lengthField(64, 3),
  dropout: dropoutField,
  candidates: candidatesField,
});

export const crossEncoderRecipe: RerankerRecipe = {
  learningRate: 2e-5,
  weightDecay: 0.01,
  batchSize: 2,
  epochs: 5,
  schedule: 'linear',
  warmup: 0.1,
  clipNorm: 1,
};

/** Pairs that are scored together, at most. */
const mostPairs = 128;

/** What makes a score of [CLS]. */
export class CrossHead {
  #pooler: BertPooler;
  #classifier: Linear;

  constructor(p: ParameterSource, config: BertConfig) {
    this.#pooler = new BertPooler(p, config);
    const start = { weight: { deviation: 0.02 }, bias: { value: 0 } };
    this.#classifier = p.linear('classifier', config.width, 1, start);
  }

  /** cls [pairs, d] -> what the classifier reads, [pairs, d]. */
  pooled(cls: Tensor): Tensor {
    return this.#pooler.poolFirst(cls);
  }

  /** pooled [pairs, d] -> scores [pairs]. */
  scores(pooled: Tensor, dropped?: BertDropout): Tensor {
    const kept = dropped ? dropout(pooled, dropped.rate, dropped.random) : pooled;
    return reshape(this.#classifier(kept), [pooled.shape[0]!]);
  }
}

export class CrossEncoder implements TrainedReranker<readonly PackedText[]> {
  readonly name: string;
  readonly device: Device;
  readonly mostPairs = mostPairs;
  readonly candidates: number;
  readonly groups: ParameterGroups;
  #bert: Bert;
  #head: CrossHead;
  #texts: BlinkTexts;
  #dropout: number;

  /** `bert` wants gradients. Throws InputError for a vocabulary or lengths that do not fit. */
  constructor(
    name: string,
    { device, random }: Pick<BaselineParts, 'device' | 'random'>,
    bert: BertPart,
    { contextLength, entityLength, dropout, candidates }: v.InferOutput<typeof crossEncoderSchema>,
  ) {
    // The entity's places begin after the longest context.
    checkLength('contextLength + entityLength', contextLength + entityLength - 1, bert.config);
    this.name = name;
    this.device = device;
    this.candidates = candidates;
    this.#texts = new BlinkTexts(bert.tokenizer, { mention: contextLength, entity: entityLength });
    const head = initialise(device, random, (p) => new CrossHead(p, bert.config));
    this.groups = parameterGroups(new Map([...bert.tensors, ...head.tensors]));
    this.#bert = bert.module;
    this.#head = head.module;
    this.#dropout = dropout;
  }

  async prepare(side: Side, samples: Samples): Promise<readonly PackedText[]> {
    return this.#texts.pack(side, samples);
  }

  pairScores(
    mentions: Batch<readonly PackedText[]>,
    entities: Batch<readonly PackedText[]>,
    random: Random | null = null,
  ): Tensor {
    const pairs = mentions.rows.map((row, i) => {
      const [context, entity] = [mentions.inputs[row]!, entities.inputs[entities.rows[i]!]!];
      return packBoth(context.ids, entity.ids, this.#texts.lengths.mention);
    });
    const dropped = random ? { rate: this.#dropout, random } : undefined;
    return this.#head.scores(this.#head.pooled(clsOf(this.#bert, pairs, dropped)), dropped);
  }

  takeWarnings(): string[] {
    return this.#texts.takeWarnings();
  }
}
