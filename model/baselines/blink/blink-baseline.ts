// The baseline BLINK, its bi-encoder (Wu et al. 2020, arXiv:1911.03814): a BERT for mentions and one for entities,
// S = h_m . h_e of the last layer's [CLS], without pooler, norm and scale.

import * as v from 'valibot';
import type { Samples } from '../../../encoding/samples.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import type { Bert } from '../../bert/bert.ts';
import { clsOf, type PackedText } from '../../bert/packed-texts.ts';
import { checkLength, dropoutField, lengthField } from '../../bert/text-options.ts';
import {
  type BaselineParts,
  type BertPart,
  type EncodingBatch,
  type ParameterGroups,
  parameterGroups,
  type Recipe,
} from '../baseline.ts';
import { DenseBaseline } from '../dense-baseline.ts';
import { BlinkTexts } from './blink-texts.ts';

export const blinkSchema = v.strictObject({
  contextLength: lengthField(64, 5),
  entityLength: lengthField(64, 3),
  dropout: dropoutField,
});

export const blinkRecipe: Recipe = {
  learningRate: 1e-5,
  weightDecay: 0.01,
  batchSize: 128,
  epochs: 6,
  schedule: 'linear',
  warmup: 0.1,
  clipNorm: 1,
  // Five epochs with the negatives of the batch, then one with its own mistakes.
  hardNegatives: 8,
  hardEpochs: 1,
};

export class BlinkBaseline extends DenseBaseline<readonly PackedText[]> {
  readonly groups: ParameterGroups;
  #towers: Readonly<Record<Side, Bert>>;
  #texts: BlinkTexts;
  #dropout: number;

  /** `towers`: of one vocabulary; they want gradients. Throws InputError for a vocabulary or lengths that do not fit. */
  constructor(
    name: string,
    { device }: Pick<BaselineParts, 'device'>,
    towers: Readonly<Record<Side, BertPart>>,
    { contextLength, entityLength, dropout }: v.InferOutput<typeof blinkSchema>,
  ) {
    const { mention, entity } = towers;
    checkLength('contextLength', contextLength, mention.config);
    checkLength('entityLength', entityLength, entity.config);
    const tensors = (['mention', 'entity'] as const).flatMap((side) =>
      [...towers[side].tensors].map(([of, tensor]) => {
        tensor.name = `${side}.${of}`;
        return [tensor.name, tensor] as const;
      }),
    );
    super(name, device, { width: mention.config.width, logitScale: null, margin: null });
    this.groups = parameterGroups(new Map(tensors));
    this.#towers = { mention: mention.module, entity: entity.module };
    this.#texts = new BlinkTexts(mention.tokenizer, { mention: contextLength, entity: entityLength });
    this.#dropout = dropout;
  }

  async trainingInputs(side: Side, samples: Samples): Promise<readonly PackedText[]> {
    return this.#texts.pack(side, samples);
  }

  encode(side: Side, { inputs, rows, random }: EncodingBatch<readonly PackedText[]>): Tensor {
    const texts = rows.map((row) => inputs[row]!);
    return clsOf(this.#towers[side], texts, random ? { rate: this.#dropout, random } : undefined);
  }

  takeWarnings(): string[] {
    return this.#texts.takeWarnings();
  }
}
