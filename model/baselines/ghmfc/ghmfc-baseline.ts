// The baseline GHMFC (Wang, Wu and Chen 2022, SIGIR): a mention's vector is made of its text, by a BERT that is trained
// with it, and of its image, by patch tokens of the frozen CLIP; an entity's of its text alone, by the same BERT. S =
// z_m . z_e, a cosine. Beside the loss of scores, text and image of a mention are contrasted with those of the other
// mentions in the batch.

import * as v from 'valibot';
import { packPair } from '../../../data/text/wordpiece/packing.ts';
import { type FeatureOptions, type FeatureTable, imageRows } from '../../../encoding/features.ts';
import type { Samples } from '../../../encoding/samples.ts';
import { add } from '../../../engine/ops/elementwise.ts';
import { concat, slice } from '../../../engine/ops/shape.ts';
import type { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { InputError } from '../../../files/errors.ts';
import type { Side } from '../../../ranking/scorer.ts';
import { clsOf, encodeByLength, type PackedText } from '../../bert/packed-texts.ts';
import { checkLength, dropoutField, lengthField } from '../../bert/text-options.ts';
import { imageTable } from '../../clip/image-table.ts';
import { initialise } from '../../initialise.ts';
import { ntXent } from '../../loss.ts';
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
import { count, part } from '../option-fields.ts';
import { Ghmfc } from './ghmfc.ts';

/** The widths are those of the paper's data sets. */
export const ghmfcSchema = v.strictObject({
  textLength: lengthField(64, 4),
  loss: lossField('hinge'),
  width: count(512),
  /** They divide `width`. */
  heads: count(8),
  hidden: count(2048),
  layers: count(1),
  dropout: part(0.3),
  /** Within BERT. */
  bertDropout: dropoutField,
});

export const ghmfcRecipe: Recipe = {
  learningRate: 1e-4,
  weightDecay: 0.01,
  batchSize: 64,
  epochs: 20,
  schedule: 'linear',
  warmup: 0.1,
  clipNorm: 1,
};

/** BERT's learning rate as a part of the others': 2e-5 beside 1e-4. */
const bertRate = 0.2;
const margin = 0.5;
const temperature = 0.6;

/** What vectors are made from. */
interface GhmfcInputs {
  texts: readonly PackedText[];
  /** The images of mentions; null for entities, which are seen without. */
  images: { table: FeatureTable; rowOf: ReadonlyMap<number, number> } | null;
}

/** A mention with its text and its image, to be contrasted: [B, h] each. */
interface GhmfcMentionSide extends DenseSide {
  text: Tensor;
  image: Tensor;
}

export class GhmfcBaseline extends DenseBaseline<GhmfcInputs, GhmfcMentionSide> {
  readonly groups: ParameterGroups;
  #clip: BaselineParts['clip'];
  #bert: BertPart;
  #network: Ghmfc;
  #options: v.InferOutput<typeof ghmfcSchema>;

  /**
   * `bert`: it wants gradients. Throws InputError for texts longer than it takes and heads that do not divide the
   * width.
   */
  constructor(
    name: string,
    { device, clip, random }: Pick<BaselineParts, 'device' | 'clip' | 'random'>,
    bert: BertPart,
    options: v.InferOutput<typeof ghmfcSchema>,
  ) {
    checkLength('textLength', options.textLength, bert.config);
    const { width, heads } = options;
    if (width % heads !== 0) {
      throw new InputError(`heads: expected a number that divides width, ${width}, found ${heads}`);
    }
    const sizes = { textWidth: bert.config.width, patchWidth: clip.config.vision.width };
    const { module, tensors } = initialise(device, random, (p) => ({
      network: new Ghmfc(p, { ...options, ...sizes }),
      logitScale: options.loss === 'ce' ? new LogitScale(LogitScale.declare(p)) : null,
    }));
    super(name, device, {
      width: bert.config.width,
      logitScale: module.logitScale,
      margin,
    });
    const ofBert = [...bert.tensors].map(([of, tensor]) => {
      tensor.name = `bert.${of}`;
      return [tensor.name, tensor] as const;
    });
    this.groups = {
      ...parameterGroups(new Map([...ofBert, ...tensors])),
      rates: new Map(ofBert.map(([, tensor]) => [tensor, bertRate])),
    };
    this.#clip = clip;
    this.#bert = bert;
    this.#network = module.network;
    this.#options = options;
  }

  async trainingInputs(
    side: Side,
    { texts }: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<GhmfcInputs> {
    const { tokenizer } = this.#bert;
    const tokens = (text: string) => tokenizer.encode(text);
    return {
      texts: texts.map(({ name, context }) =>
        packPair(tokenizer, tokens(name), tokens(context), this.#options.textLength),
      ),
      images:
        side === 'mention'
          ? {
              table: await imageTable(this.#clip, [], images, features),
              rowOf: new Map(images.map((image, row) => [image, row])),
            }
          : null,
    };
  }

  encode(side: Side, batch: EncodingBatch<GhmfcInputs>): Tensor {
    return side === 'mention' ? this.#mentions(batch).vector : this.#entities(batch);
  }

  override encodeMentions(batch: EncodingBatch<GhmfcInputs>): GhmfcMentionSide {
    return this.scaledSide(this.#mentions(batch));
  }

  override loss(mentions: GhmfcMentionSide | DenseSide, entities: DenseSide, columns: Int32Array): Tensor {
    const loss = super.loss(mentions, entities, columns);
    // Sides of vectors that were kept have nothing to contrast.
    return 'text' in mentions ? add(loss, ntXent(mentions.text, mentions.image, temperature)) : loss;
  }

  #mentions({ inputs, rows, images, random }: EncodingBatch<GhmfcInputs>): GhmfcMentionSide {
    const { module: bert, config } = this.#bert;
    const texts = rows.map((row) => inputs.texts[row]!);
    const { dropout } = this.#options;
    const all = encodeByLength(texts, config.maxLength, (batch, places) => {
      const hidden = bert.encode(batch, this.#bertDropout(random));
      const patches = this.#patches(
        inputs,
        places.map((place) => images[place]!),
      );
      const dropped = random ? { rate: dropout, random } : undefined;
      const { vector, text, image } = this.#network.mention(hidden, batch.mask, patches, dropped);
      return concat([vector, text, image], 1);
    });
    const { width: h } = this.#options;
    return {
      vector: slice(all, 1, 0, config.width),
      text: slice(all, 1, config.width, h),
      image: slice(all, 1, config.width + h, h),
    };
  }

  #entities({ inputs, rows, random }: EncodingBatch<GhmfcInputs>): Tensor {
    const texts = rows.map((row) => inputs.texts[row]!);
    return this.#network.entity(clsOf(this.#bert.module, texts, this.#bertDropout(random)));
  }

  /** CLIP's tokens of the images before the last norm, without [CLS]: [images, R, d_v]. */
  #patches({ images }: GhmfcInputs, numbers: readonly number[]): Tensor {
    const { table, rowOf } = images!;
    const { tokens } = imageRows(
      this.device,
      table,
      numbers.map((number) => rowOf.get(number)!),
    );
    return slice(tokens, 1, 1, tokens.shape[1]! - 1);
  }

  #bertDropout(random: Random | null) {
    return random ? { rate: this.#options.bertDropout, random } : undefined;
  }
}
