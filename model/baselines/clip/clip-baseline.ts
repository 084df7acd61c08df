// The baseline CLIP (Radford et al. 2021, arXiv:2103.00020): the mean of the cosines of both texts and of both images,
// S = exp(logit_scale) (t_m . t_e + v_m . v_e) / 2, as one dot product of a vector a side. Zero-shot, with a trained head on
// frozen towers, or fine-tuned. The fusion of the two cosines is the house definition of the baselines.

import * as v from 'valibot';
import type { FeatureOptions } from '../../../encoding/features.ts';
import { firstImages, noImage, type Samples } from '../../../encoding/samples.ts';
import { noGrad } from '../../../engine/autograd.ts';
import type { Device } from '../../../engine/device.ts';
import { affine, exp, mul, relu, sub } from '../../../engine/ops/elementwise.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Batch, PackedSide, Side, SideLayout } from '../../../ranking/scorer.ts';
import { initialise } from '../../initialise.ts';
import { contrastiveLoss } from '../../loss.ts';
import {
  type Baseline,
  type BaselineParts,
  type ParameterGroups,
  parameterGroups,
  type Recipe,
  type SideInput,
} from '../baseline.ts';
import { type EmbedTables, embedRows, embedTables } from './embed-tables.ts';
import { addition, concatenation, type Fusion, Heads } from './fusion.ts';

/** What is trained: nothing, a linear layer a side on frozen towers, or all of CLIP. */
export type ClipTraining = 'none' | 'head' | 'all';

export const clipSchema = v.strictObject({
  /** Whether each side's text is compared with the other's image as well; a head sees both anyway. */
  cross: v.optional(v.boolean(), false),
});

/** Untrained, where nothing learns to pass over what black images have in common. */
export const zeroShotSchema = v.strictObject({
  ...clipSchema.entries,
  /**
   * What a missing image is: the embed of a black one, by which all that have none are alike, as for trained towers; or the
   * vector 0, which leaves the image's cosine out.
   */
  missingImages: v.optional(v.picklist(['encoded', 'dropped']), 'dropped'),
});

/** A side: one vector a sample, [B, width]. Those of mentions have the score's scale in them. */
export interface ClipSide {
  vector: Tensor;
}

const shared = { batchSize: 128, epochs: 20, schedule: 'constant', warmup: 0, clipNorm: 1 } as const;

export const clipRecipes: Readonly<Record<'head' | 'all', Recipe>> = {
  head: { ...shared, learningRate: 5e-4, weightDecay: 0 },
  // MIMIC's published rate on this backbone (Luo et al. 2023).
  all: { ...shared, learningRate: 1e-5, weightDecay: 1e-4 },
};

/** Scores are at most so many times a cosine. */
const mostScale = 100;

export class ClipBaseline implements Baseline<EmbedTables, ClipSide, ClipSide> {
  readonly name: string;
  readonly device: Device;
  readonly groups: ParameterGroups;
  readonly isFrozen: boolean;
  readonly layout: SideLayout;
  readonly retrievalPart = 'vector';
  /** All pairs are one matrix product: no mask would save anything. */
  readonly usesPairMask = false;
  #clip: BaselineParts['clip']['module'];
  #fusion: Fusion;
  #dropsMissing: boolean;
  /** The scale's logarithm: []. */
  #logitScale: Tensor;

  constructor(
    training: ClipTraining,
    name: string,
    { device, clip, random }: BaselineParts,
    {
      cross,
      missingImages = 'encoded',
    }: v.InferOutput<typeof clipSchema> & Partial<v.InferOutput<typeof zeroShotSchema>>,
  ) {
    const { projection } = clip.config;
    const head = training === 'head' ? initialise(device, random, (p) => new Heads(p, projection)) : null;
    this.name = name;
    this.device = device;
    this.#clip = clip.module;
    this.#fusion = head?.module ?? (cross ? addition : concatenation);
    this.#dropsMissing = missingImages === 'dropped';
    this.#logitScale = head?.module.logitScale ?? clip.module.logitScale;
    this.isFrozen = training !== 'all';
    if (!this.isFrozen) for (const tensor of clip.tensors.values()) tensor.requiresGrad = true;
    this.groups = parameterGroups(head?.tensors ?? (this.isFrozen ? new Map() : clip.tensors));
    const columns = this.#fusion.width(projection);
    this.layout = { vector: { columns, rows: 'entity', precision: 'float16' } };
  }

  prepare(
    _side: Side,
    samples: Samples,
    images: readonly number[],
    from: FeatureOptions,
  ): Promise<EmbedTables> {
    return embedTables(this.device, this.#clip, samples, images, from, this.isFrozen);
  }

  preparedBytes(samples: Samples): number {
    return 4 * this.#clip.text.embedWidth * (samples.images.length + firstImages(samples).distinct.length);
  }

  mentionSide(batch: Batch<EmbedTables>): ClipSide {
    return { vector: this.#scaled(this.#vectorsOf('mention', batch)) };
  }

  entitySide(batch: Batch<EmbedTables>, rounded: (x: Tensor) => Tensor = (x) => x): ClipSide {
    return { vector: rounded(this.#vectorsOf('entity', batch)) };
  }

  /** With gradients where towers are trained. */
  encodeMentions(input: SideInput): ClipSide {
    return { vector: this.#scaled(this.encode('mention', input)) };
  }

  encodeEntities(input: SideInput): ClipSide {
    return { vector: this.encode('entity', input) };
  }

  /** What an index holds of a side, vectors of length 1 at most and without the scale: [B, width]. */
  encode(side: Side, { texts, pixels, places }: SideInput): Tensor {
    const rows = this.device.tensor([places.length], places, { name: 'image places' });
    const text = this.#clip.text.encode(texts).embeds;
    return this.#fusion.vectors(side, text, embedding(this.#clip.vision.encode(pixels).embeds, rows));
  }

  scores(mentions: ClipSide, entities: ClipSide): Tensor {
    return matmul(mentions.vector, entities.vector, { transposeB: true });
  }

  pairSize(): number {
    return 1;
  }

  loss(mentions: ClipSide, entities: ClipSide, columns: Int32Array): Tensor {
    return contrastiveLoss(this.scores(mentions, entities), columns);
  }

  /** The bound acts on the parameter, as in CLIP's own training; the forward pass is a plain exp. */
  afterStep(): void {
    const s = this.#logitScale;
    if (!s.requiresGrad) return;
    this.device.scope(() => {
      // Exact where the bound is not reached.
      const excess = noGrad(() => relu(affine(s, 1, -Math.log(mostScale))));
      this.device.copy(
        noGrad(() => sub(s, excess)),
        s,
      );
    });
  }

  pack({ vector }: ClipSide): PackedSide {
    return { parts: { vector }, offsets: {} };
  }

  unpack({ parts }: PackedSide): ClipSide {
    return { vector: parts['vector']! };
  }

  retrievalVectors(side: Side, batch: Batch<EmbedTables>): Tensor {
    return this.#vectorsOf(side, batch);
  }

  #vectorsOf(side: Side, { inputs, rows, images }: Batch<EmbedTables>): Tensor {
    const { text, image } = embedRows(this.device, inputs, rows, images);
    if (!this.#dropsMissing) return this.#fusion.vectors(side, text, image);
    const isThere = Float32Array.from(images, (number) => (number === noImage ? 0 : 1));
    return this.#fusion.vectors(side, text, mul(image, this.device.tensor([images.length, 1], isThere)));
  }

  #scaled(vectors: Tensor): Tensor {
    return mul(vectors, exp(this.#logitScale));
  }
}
