// The baseline BERT (Devlin et al. 2019, arXiv:1810.04805): a bi-encoder of texts alone, one tower for both sides. A mention is the
// pair of its word and its sentence, an entity that of its name and its attributes; z is the last layer's [CLS] at length 1,
// S = exp(logit_scale) z_m . z_e. A cosine, because raw [CLS] products start with a saturated softmax; no pooler.

import * as v from 'valibot';
import { packPair } from '../../../data/text/wordpiece/packing.ts';
import type { Samples } from '../../../encoding/samples.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { slice } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import type { Bert, BertDropout } from '../../bert/bert.ts';
import { clsOf, type PackedText } from '../../bert/packed-texts.ts';
import { checkLength, dropoutField, lengthField } from '../../bert/text-options.ts';
import { initialise } from '../../initialise.ts';
import {
  type BaselineParts,
  type BertPart,
  type EncodingBatch,
  type ParameterGroups,
  parameterGroups,
  type Recipe,
} from '../baseline.ts';
import { DenseBaseline, type DenseSide, lossField } from '../dense-baseline.ts';
import { LogitScale } from '../logit-scale.ts';

export const bertSchema = v.strictObject({
  textLength: lengthField(64, 4),
  dropout: dropoutField,
  loss: lossField('ce'),
});

/** How BERT is usually fine-tuned (Devlin et al. 2019, appendix A.3). */
export const bertRecipe: Recipe = {
  learningRate: 2e-5,
  weightDecay: 0.01,
  batchSize: 128,
  epochs: 20,
  schedule: 'linear',
  warmup: 0.1,
  clipNorm: 1,
  patience: 3,
};

/** The hinge loss's, where that is asked for. */
const margin = 0.2;

export class BertBaseline extends DenseBaseline<readonly PackedText[]> {
  readonly groups: ParameterGroups;
  #bert: Bert;
  #tokenizer: BertPart['tokenizer'];
  #textLength: number;
  #dropout: number;

  /** `bert`: the tower; it wants gradients. Throws InputError for texts longer than it takes. */
  constructor(
    name: string,
    { device, random }: Pick<BaselineParts, 'device' | 'random'>,
    bert: BertPart,
    { textLength, dropout, loss }: v.InferOutput<typeof bertSchema>,
  ) {
    checkLength('textLength', textLength, bert.config);
    const scale = loss === 'ce' ? initialise(device, random, LogitScale.declare) : null;
    super(name, device, {
      width: bert.config.width,
      logitScale: scale && new LogitScale(scale.module),
      margin,
    });
    this.groups = parameterGroups(new Map([...bert.tensors, ...(scale?.tensors ?? [])]));
    this.#bert = bert.module;
    this.#tokenizer = bert.tokenizer;
    this.#textLength = textLength;
    this.#dropout = dropout;
  }

  async trainingInputs(_side: Side, { texts }: Samples): Promise<readonly PackedText[]> {
    const tokens = (text: string) => this.#tokenizer.encode(text);
    return texts.map(({ name, context }) =>
      packPair(this.#tokenizer, tokens(name), tokens(context), this.#textLength),
    );
  }

  /** One tower: fewer and larger batches for the device. */
  encodeBoth(
    mentions: EncodingBatch<readonly PackedText[]>,
    entities: EncodingBatch<readonly PackedText[]>,
  ): { mentions: DenseSide; entities: DenseSide } {
    const texts = [mentions, entities].flatMap(({ inputs, rows }) => rows.map((row) => inputs[row]!));
    const { random } = mentions;
    const vectors = bertVectors(this.#bert, texts, random ? { rate: this.#dropout, random } : undefined);
    const [M, E] = [mentions.rows.length, entities.rows.length];
    return {
      mentions: this.scaledSide({ vector: slice(vectors, 0, 0, M) }),
      entities: { vector: slice(vectors, 0, M, E) },
    };
  }

  encode(_side: Side, { inputs, rows, random }: EncodingBatch<readonly PackedText[]>): Tensor {
    const texts = rows.map((row) => inputs[row]!);
    return bertVectors(this.#bert, texts, random ? { rate: this.#dropout, random } : undefined);
  }
}

/** Packed texts -> [texts, d], each of length 1. */
export function bertVectors(bert: Bert, texts: readonly PackedText[], dropped?: BertDropout): Tensor {
  return l2Normalize(clsOf(bert, texts, dropped));
}
