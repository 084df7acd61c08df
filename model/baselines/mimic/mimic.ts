// The baseline MIMIC (Luo et al. 2023, KDD): all of CLIP is trained, and three units compare texts, images and each side's text
// with its own image. The score is their mean, S = (S_T + S_V + S_C) / 3; the loss asks each unit to be right by itself as well,
// L = CE(S) + CE(S_T) + CE(S_V) + CE(S_C). DSMIP took its scoring units from here: a multimodal expert without prompts is this
// network, and how it scores, what it keeps of entities and how that lies in an index are the expert's.

import * as v from 'valibot';
import type { PixelSource } from '../../../data/images/pixel-source.ts';
import type { FeatureOptions } from '../../../encoding/features.ts';
import { pickTexts, type Samples, type Tokens } from '../../../encoding/samples.ts';
import type { Device } from '../../../engine/device.ts';
import { add } from '../../../engine/ops/elementwise.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Batch, PackedSide, Side, SideLayout } from '../../../ranking/scorer.ts';
import type { Clip } from '../../clip/clip.ts';
import { encodeSides } from '../../clip/encode-sides.ts';
import type { ClipTowers } from '../../clip/load-clip.ts';
import { type EntitySide, Expert, type MentionSide, type SideTables } from '../../dsmip/expert-model.ts';
import { type ExpertFeatures, meanScores } from '../../dsmip/experts.ts';
import { contrastiveLoss } from '../../loss.ts';
import {
  type Baseline,
  type BaselineParts,
  type EncodingBatch,
  type ParameterGroups,
  parameterGroups,
  type Recipe,
} from '../baseline.ts';

export const mimicSchema = v.strictObject({
  /** h, the width of the scoring units. */
  hidden: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 96),
  /** Factor on the learning rate of the units, which begin at random where CLIP does not. */
  unitRate: v.optional(v.pipe(v.number(), v.gtValue(0)), 1),
});

/** As published: eps is far above Adam's usual one, which makes the steps of small gradients smaller. */
export const mimicRecipe: Recipe = {
  learningRate: 1e-5,
  weightDecay: 1e-4,
  eps: 1e-4,
  batchSize: 128,
  epochs: 20,
  // Three validations, one every other epoch.
  patience: 6,
  schedule: 'constant',
  warmup: 0,
  clipNorm: 0,
};

/** A side that gradients flow into: an expert's features, flat. */
export interface MimicFeatures {
  /** [B, L, d_t], [B, d_z] and i32 [B, L]. */
  tokens: Tensor;
  embeds: Tensor;
  mask: Tensor;
  /** [B, N, d_v] and [B, d_z]. */
  imageTokens: Tensor;
  imageEmbeds: Tensor;
}

type Mentions = MentionSide | MimicFeatures;
type Entities = EntitySide | MimicFeatures;

export class Mimic implements Baseline<SideTables, Mentions, Entities, Tokens> {
  readonly name: string;
  readonly device: Device;
  readonly groups: ParameterGroups;
  readonly layout: SideLayout;
  readonly retrievalPart: string | null;
  readonly usesPairMask: boolean;
  #expert: Expert;
  #towers: Pick<Clip, 'text' | 'vision'>;

  /** `clip`: its towers, which training changes. `random`: null where all parameters are about to be loaded. */
  constructor(
    name: string,
    { device, random }: Pick<BaselineParts, 'device'> & { random: BaselineParts['random'] | null },
    clip: ClipTowers,
    { hidden, unitRate }: v.InferOutput<typeof mimicSchema>,
  ) {
    // No score here has CLIP's scale.
    const { logit_scale, ...towers } = Object.fromEntries(clip.tensors);
    logit_scale?.release();
    const own = { ...clip, tensors: new Map(Object.entries(towers)) };
    const prompts = { length: 0, depth: 0 };
    const expert = new Expert(device, 'multimodal', own, { hidden, prompts }, random);
    const { units } = expert.groups;
    this.name = name;
    this.device = device;
    this.groups = {
      ...parameterGroups(new Map([...own.tensors, ...units])),
      rates: new Map([...units.values()].map((tensor) => [tensor, unitRate])),
    };
    this.layout = expert.layout;
    this.retrievalPart = expert.retrievalPart;
    this.usesPairMask = expert.usesPairMask;
    this.#expert = expert;
    this.#towers = clip.module;
  }

  prepare(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<SideTables> {
    return this.#expert.prepare(side, samples, images, features);
  }

  preparedBytes(samples: Samples): number {
    return this.#expert.preparedBytes(samples);
  }

  mentionSide(batch: Batch<SideTables>): MentionSide {
    return this.#expert.mentionSide(batch);
  }

  entitySide(batch: Batch<SideTables>, rounded?: (x: Tensor) => Tensor): EntitySide {
    return this.#expert.entitySide(batch, rounded);
  }

  /** From what was encoded while training, or from what `prepare` gave; both sides from the same. */
  scores(mentions: Mentions, entities: Entities, pairMask: Tensor | null = null): Tensor {
    if (isEncoded(mentions) && isEncoded(entities)) return meanScores(this.unitScores(mentions, entities));
    return this.#expert.scores(mentions as MentionSide, entities as EntitySide, pairMask);
  }

  /** The same by each unit: texts, images, and each side's text with its own image. [M, E] each. */
  unitScores(mentions: MimicFeatures, entities: MimicFeatures): Tensor[] {
    return this.#expert.units.unitScores(featuresOf(mentions), featuresOf(entities));
  }

  pairSize(mentions: Mentions): number {
    return this.#expert.pairSize(mentions as MentionSide);
  }

  pack(entities: Entities): PackedSide {
    return this.#expert.pack(entities as EntitySide);
  }

  unpack(packed: PackedSide): EntitySide {
    return this.#expert.unpack(packed);
  }

  retrievalVectors(side: Side, batch: Batch<SideTables>): Tensor {
    return this.#expert.retrievalVectors(side, batch);
  }

  async trainingInputs(_side: Side, { tokens }: Samples): Promise<Tokens> {
    return tokens;
  }

  pixelSource({ source }: FeatureOptions): PixelSource {
    return source;
  }

  encodeMentions(batch: EncodingBatch<Tokens>): MimicFeatures {
    return this.#encode([batch])[0]!;
  }

  encodeEntities(batch: EncodingBatch<Tokens>): MimicFeatures {
    return this.#encode([batch])[0]!;
  }

  encodeBoth(mentions: EncodingBatch<Tokens>, entities: EncodingBatch<Tokens>) {
    const [m, e] = this.#encode([mentions, entities]) as [MimicFeatures, MimicFeatures];
    return { mentions: m, entities: e };
  }

  /** The sum of four cross-entropies: of the mean and of each unit. Sides as they were encoded. */
  loss(mentions: Mentions, entities: Entities, columns: Int32Array): Tensor {
    const units = this.unitScores(mentions as MimicFeatures, entities as MimicFeatures);
    return [meanScores(units), ...units].map((scores) => contrastiveLoss(scores, columns)).reduce(add);
  }

  afterStep(): void {}

  #encode(batches: readonly EncodingBatch<Tokens>[]): MimicFeatures[] {
    const sides = batches.map(({ inputs, rows, allRows, pixels, places }) => ({
      texts: pickTexts(inputs, rows, allRows),
      pixels: pixels!,
      places,
    }));
    return encodeSides(this.#towers, sides).map(({ text, image }) => ({
      ...text,
      imageTokens: image.tokens,
      imageEmbeds: image.embeds,
    }));
  }
}

function isEncoded(side: Mentions | Entities): side is MimicFeatures {
  return 'imageTokens' in side;
}

function featuresOf({ imageTokens, imageEmbeds, ...text }: MimicFeatures): ExpertFeatures {
  return { text, image: { tokens: imageTokens, embeds: imageEmbeds } };
}
