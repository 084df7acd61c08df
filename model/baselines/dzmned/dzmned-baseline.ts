// The baseline DZMNED: its network on frozen features of texts and images, or on token ids that it embeds itself.

import * as v from 'valibot';
import { type FeatureOptions, type FeatureTable, textRows } from '../../../encoding/features.ts';
import type { Samples, Tokens } from '../../../encoding/samples.ts';
import type { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import { type ImageEmbeds, imageEmbeds, imageEmbedTable } from '../../clip/embed-tables.ts';
import { textTable } from '../../clip/text-table.ts';
import { initialise } from '../../initialise.ts';
import {
  type BaselineParts,
  type ClipPart,
  type EncodingBatch,
  type ParameterGroups,
  parameterGroups,
  type Recipe,
} from '../baseline.ts';
import { DenseBaseline, lossField, type VectorTable } from '../dense-baseline.ts';
import { LogitScale } from '../logit-scale.ts';
import { count, part, textField } from '../option-fields.ts';
import { plainTokens } from '../plain-tokens.ts';
import { Dzmned, type DzmnedText } from './dzmned.ts';
import { nameSymbols } from './name-symbols.ts';

/** The widths are those of the paper's data sets. */
export const dzmnedSchema = v.strictObject({
  text: textField,
  loss: lossField('hinge'),
  /** What the cosine of names counts for against that of everything. */
  lambda: v.optional(v.pipe(v.number(), v.minValue(0)), 1),
  /** Of embedded tokens; frozen features have their own. */
  tokenWidth: count(300),
  wordHidden: count(256),
  byteWidth: count(32),
  byteHidden: count(64),
  modalityWidth: count(512),
  jointWidth: count(256),
  lexicalWidth: count(64),
  dropout: part(0.2),
  /** Of embedded tokens. */
  tokenDropout: part(0.1),
});

export const dzmnedRecipe: Recipe = {
  learningRate: 1e-3,
  weightDecay: 0,
  batchSize: 128,
  epochs: 50,
  schedule: 'linear',
  warmup: 0.1,
  clipNorm: 1,
  patience: 5,
};

const margin = 0.2;

/** What vectors are made from: of texts features, or the tokens to embed. */
interface DzmnedInputs {
  text: FeatureTable | Tokens;
  names: readonly ArrayLike<number>[];
  image: ImageEmbeds;
}

/** What some samples let words, name and image count for, in all. */
interface Attention {
  sums: [number, number, number];
  samples: number;
}

const noAttention = (): Attention => ({ sums: [0, 0, 0], samples: 0 });

export class DzmnedBaseline extends DenseBaseline<DzmnedInputs> {
  readonly groups: ParameterGroups;
  /** Of what was prepared since it was told last. */
  #attention: Record<Side, Attention> = { mention: noAttention(), entity: noAttention() };
  /** Weights of batches that are being prepared. */
  #weights: Record<Side, Promise<Float32Array>[]> = { mention: [], entity: [] };
  #clip: ClipPart['module'];
  #options: v.InferOutput<typeof dzmnedSchema>;
  #network: Dzmned;

  constructor(
    name: string,
    { device, clip, random }: Pick<BaselineParts, 'device' | 'clip' | 'random'>,
    options: v.InferOutput<typeof dzmnedSchema>,
  ) {
    const { text, projection } = clip.config;
    const isStatic = options.text === 'static';
    const { module, tensors } = initialise(device, random, (p) => ({
      network: new Dzmned(p, {
        ...options,
        vocabulary: isStatic ? text.vocabulary : null,
        tokenWidth: isStatic ? options.tokenWidth : text.width,
        imageWidth: projection,
      }),
      logitScale: options.loss === 'ce' ? new LogitScale(LogitScale.declare(p)) : null,
    }));
    super(name, device, {
      width: options.jointWidth + options.lexicalWidth,
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
    { texts, tokens }: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<DzmnedInputs> {
    const { text, vision } = this.#clip;
    return {
      text: this.#options.text === 'static' ? tokens : await textTable(text, [], tokens, features),
      names: texts.map(({ name }) => nameSymbols(name)),
      image: await imageEmbedTable(this.device, vision, images, features),
    };
  }

  override async prepare(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<VectorTable> {
    const vectors = await super.prepare(side, samples, images, features);
    const all = this.#attention[side];
    for (const weights of await Promise.all(this.#weights[side].splice(0))) {
      all.samples += weights.length / 3;
      for (const [i, weight] of weights.entries()) all.sums[i % 3]! += weight;
    }
    return vectors;
  }

  /** What words, names and images counted for; by the sigmoid none can count for more than e times another. */
  takeRemarks(): string[] {
    return (['mention', 'entity'] as const).flatMap((side) => {
      const { sums, samples } = this.#attention[side];
      if (samples === 0) return [];
      this.#attention[side] = noAttention();
      const [words, name, image] = sums.map((sum) => (sum / samples).toFixed(3));
      const whose = side === 'mention' ? 'mentions' : 'entities';
      return [`mean attention of ${whose}: words ${words}, name ${name}, image ${image}`];
    });
  }

  encode(side: Side, { inputs, rows, images, random }: EncodingBatch<DzmnedInputs>): Tensor {
    const input = {
      text: this.#textOf(inputs.text, rows),
      names: rows.map((row) => inputs.names[row]!),
      image: imageEmbeds(this.device, inputs.image, images),
    };
    const { vectors, alpha } = this.#network.encode(input, random && this.#dropping(random));
    if (!random) {
      const weights = this.device.read<'f32'>(alpha);
      // Who reads the vectors learns of a lost device as well.
      weights.catch(() => {});
      this.#weights[side].push(weights);
    }
    return vectors;
  }

  #dropping(random: Random) {
    const { dropout: joint, tokenDropout: tokens } = this.#options;
    return { joint, tokens, random };
  }

  #textOf(text: FeatureTable | Tokens, rows: readonly number[]): DzmnedText {
    return 'ids' in text ? { ids: plainTokens(text, rows) } : textRows(this.device, text, rows);
  }
}
