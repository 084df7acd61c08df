// The baseline CLIP (Radford et al. 2021, arXiv:2103.00020): the mean of the cosines of both texts and of both images,
// S = exp(logit_scale) (t_m . t_e + v_m . v_e) / 2, as one dot product of a vector a side. Zero-shot, with a trained head on
// frozen towers, or fine-tuned. The fusion of the two cosines is the house definition of the baselines.

import * as v from 'valibot';
import type { PixelSource } from '../../../data/images/pixel-source.ts';
import type { FeatureOptions, FeatureTable } from '../../../encoding/features.ts';
import { noImage, pickTexts, type Samples, type Tokens } from '../../../encoding/samples.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import {
  type ImageEmbeds,
  imageEmbeds,
  imageEmbedTable,
  textEmbeds,
  textEmbedTable,
} from '../../clip/embed-tables.ts';
import { encodeSides, type SideInput } from '../../clip/encode-sides.ts';
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
import { addition, concatenation, type Fusion, Heads } from './fusion.ts';

/** What is trained: nothing, a linear layer a side on frozen towers, or all of CLIP. */
export type ClipTraining = 'none' | 'head' | 'all';

export const clipSchema = v.strictObject({
  /** Whether each side's text is compared with the other's image as well; a head sees both anyway. */
  cross: v.optional(v.boolean(), false),
  loss: lossField('ce'),
});

/** Untrained, where nothing learns to pass over what black images have in common. */
export const zeroShotSchema = v.strictObject({
  cross: clipSchema.entries.cross,
  /**
   * What a missing image is: the embed of a black one, by which all that have none are alike, as for trained towers; or the
   * vector 0, which leaves the image's cosine out.
   */
  missingImages: v.optional(v.picklist(['encoded', 'dropped']), 'dropped'),
});

const shared = { batchSize: 128, epochs: 20, schedule: 'constant', warmup: 0, clipNorm: 1 } as const;

export const clipRecipes: Readonly<Record<'head' | 'all', Recipe>> = {
  head: { ...shared, learningRate: 5e-4, weightDecay: 0 },
  // MIMIC's published rate on this backbone (Luo et al. 2023).
  all: { ...shared, learningRate: 1e-5, weightDecay: 1e-4 },
};

/** The hinge loss's, where that is asked for. */
const margin = 0.2;

/** What vectors are made from: embeds of frozen towers, or CLIP's tokens for those that are trained. */
type ClipInputs = { text: FeatureTable; image: ImageEmbeds } | { tokens: Tokens };

/** [B, d_z] each. */
interface Embeds {
  text: Tensor;
  image: Tensor;
}

export class ClipBaseline extends DenseBaseline<ClipInputs> {
  readonly groups: ParameterGroups;
  #clip: ClipPart['module'];
  #fusion: Fusion;
  #isFrozen: boolean;
  #dropsMissing: boolean;

  /** `clip`: the towers; those that are trained want gradients. */
  constructor(
    training: ClipTraining,
    name: string,
    { device, random }: Pick<BaselineParts, 'device' | 'random'>,
    clip: ClipPart,
    {
      cross = false,
      loss = 'ce',
      missingImages = 'encoded',
    }: Partial<v.InferOutput<typeof clipSchema> & v.InferOutput<typeof zeroShotSchema>>,
  ) {
    const { projection } = clip.config;
    const head = training === 'head' ? initialise(device, random, (p) => new Heads(p, projection)) : null;
    const fusion = head?.module ?? (cross ? addition : concatenation);
    super(name, device, {
      width: fusion.width(projection),
      logitScale: loss === 'hinge' ? null : new LogitScale(head?.module.logitScale ?? clip.module.logitScale),
      margin,
    });
    this.#clip = clip.module;
    this.#fusion = fusion;
    this.#isFrozen = training !== 'all';
    this.#dropsMissing = missingImages === 'dropped';
    this.groups = parameterGroups(head?.tensors ?? (this.#isFrozen ? new Map() : clip.tensors));
  }

  async trainingInputs(
    _side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<ClipInputs> {
    if (!this.#isFrozen) return { tokens: samples.tokens };
    const { text, vision } = this.#clip;
    return {
      text: await textEmbedTable(this.device, text, samples.tokens, features),
      image: await imageEmbedTable(this.device, vision, images, features),
    };
  }

  override pixelSource({ source }: FeatureOptions): PixelSource | null {
    return this.#isFrozen ? null : source;
  }

  encode(side: Side, batch: EncodingBatch<ClipInputs>): Tensor {
    return this.#vectors(side, batch, this.#embeds([batch])[0]!);
  }

  encodeBoth(mentions: EncodingBatch<ClipInputs>, entities: EncodingBatch<ClipInputs>) {
    const [m, e] = this.#embeds([mentions, entities]) as [Embeds, Embeds];
    return {
      mentions: this.scaledSide({ vector: this.#vectors('mention', mentions, m) }),
      entities: { vector: this.#vectors('entity', entities, e) },
    };
  }

  #vectors(side: Side, { images }: EncodingBatch<ClipInputs>, { text, image }: Embeds): Tensor {
    if (!this.#dropsMissing) return this.#fusion.vectors(side, text, image);
    const isThere = Float32Array.from(images, (number) => (number === noImage ? 0 : 1));
    return this.#fusion.vectors(side, text, mul(image, this.device.tensor([isThere.length, 1], isThere)));
  }

  /** Of frozen towers from their tables, else of all batches at once. */
  #embeds(batches: readonly EncodingBatch<ClipInputs>[]): Embeds[] {
    const found: Embeds[] = [];
    const sides: SideInput[] = [];
    for (const { inputs, rows, images, pixels, places } of batches) {
      if ('tokens' in inputs) {
        sides.push({ texts: pickTexts(inputs.tokens, rows), pixels: pixels!, places });
      } else {
        const text = textEmbeds(this.device, inputs.text, rows);
        found.push({ text, image: imageEmbeds(this.device, inputs.image, images) });
      }
    }
    if (sides.length === 0) return found;
    return encodeSides(this.#clip, sides).map(({ text, image }) => ({
      text: text.embeds,
      image: image.embeds,
    }));
  }
}
