// The baseline JMEL: its branches on frozen embeds of texts and images, or on token ids that it embeds itself.

import * as v from 'valibot';
import type { FeatureOptions, FeatureTable } from '../../../encoding/features.ts';
import type { Samples, Tokens } from '../../../encoding/samples.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import {
  type ImageEmbeds,
  imageEmbeds,
  imageEmbedTable,
  textEmbeds,
  textEmbedTable,
} from '../../clip/embed-tables.ts';
import { initialise } from '../../initialise.ts';
import {
  type BaselineParts,
  type ClipPart,
  type EncodingBatch,
  type ParameterGroups,
  parameterGroups,
  type Recipe,
} from '../baseline.ts';
import { DenseBaseline, lossField } from '../dense-baseline.ts';
import { LogitScale } from '../logit-scale.ts';
import { count, part, textField } from '../option-fields.ts';
import { plainTokens } from '../plain-tokens.ts';
import { Jmel } from './jmel.ts';

/** The widths are those of the paper's data sets. */
export const jmelSchema = v.strictObject({
  text: textField,
  loss: lossField('hinge'),
  /** Of embedded tokens; frozen embeds have their own. */
  textWidth: count(256),
  /** Rows of the table for pairs of tokens. */
  buckets: v.optional(
    v.pipe(
      v.number(),
      v.check((n) => n >= 2 && n <= 2 ** 24 && Number.isInteger(Math.log2(n)), 'a power of 2 from 2 to 2^24'),
    ),
    2 ** 16,
  ),
  branchWidth: count(512),
  jointWidth: count(256),
  dropout: part(0.2),
});

export const jmelRecipe: Recipe = {
  learningRate: 1e-3,
  weightDecay: 0,
  batchSize: 128,
  epochs: 50,
  schedule: 'linear',
  warmup: 0.1,
  clipNorm: 1,
  patience: 5,
};

const margin = 0.5;

/** What vectors are made from: of texts embeds, or the tokens to embed. */
interface JmelInputs {
  text: FeatureTable | Tokens;
  image: ImageEmbeds;
}

export class JmelBaseline extends DenseBaseline<JmelInputs> {
  readonly groups: ParameterGroups;
  #clip: ClipPart['module'];
  #options: v.InferOutput<typeof jmelSchema>;
  #network: Jmel;

  constructor(
    name: string,
    { device, clip, random }: Pick<BaselineParts, 'device' | 'clip' | 'random'>,
    options: v.InferOutput<typeof jmelSchema>,
  ) {
    const { text, projection } = clip.config;
    const { buckets, branchWidth, jointWidth } = options;
    const isStatic = options.text === 'static';
    const { module, tensors } = initialise(device, random, (p) => ({
      network: new Jmel(p, {
        tokens: isStatic ? { vocabulary: text.vocabulary, buckets } : null,
        textWidth: isStatic ? options.textWidth : projection,
        imageWidth: projection,
        branchWidth,
        jointWidth,
      }),
      logitScale: options.loss === 'ce' ? new LogitScale(LogitScale.declare(p)) : null,
    }));
    super(name, device, {
      width: jointWidth,
      logitScale: module.logitScale,
      margin,
    });
    this.#clip = clip.module;
    this.#options = options;
    this.#network = module.network;
    this.groups = parameterGroups(tensors);
  }

  async trainingInputs(
    _side: Side,
    { tokens }: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<JmelInputs> {
    const { text, vision } = this.#clip;
    const isStatic = this.#options.text === 'static';
    return {
      text: isStatic ? tokens : await textEmbedTable(this.device, text, tokens, features),
      image: await imageEmbedTable(this.device, vision, images, features),
    };
  }

  encode(side: Side, { inputs, rows, images, random }: EncodingBatch<JmelInputs>): Tensor {
    const { text, image } = inputs;
    const input = {
      text: 'ids' in text ? plainTokens(text, rows) : textEmbeds(this.device, text, rows),
      image: imageEmbeds(this.device, image, images),
    };
    return this.#network.encode(side, input, random && { rate: this.#options.dropout, random });
  }
}
