// An expert at work: its weights beside CLIP's, its batches in training, and as a Scorer its features, its sides and its
// scores. Whatever of it is frozen is encoded once.

import {
  embedsOf,
  type FeatureOptions,
  type FeatureTable,
  imageRows,
  raggedTextRows,
  textRows,
} from '../../encoding/features.ts';
import { firstImages, type Samples } from '../../encoding/samples.ts';
import { noGrad, willRecord } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Batch, PackedSide, Scorer, Side, SideLayout } from '../../ranking/scorer.ts';
import type { Features, TextBatch, TextFeatures } from '../clip/clip.ts';
import { repeatImages } from '../clip/encode-sides.ts';
import { imageTable } from '../clip/image-table.ts';
import type { ClipTowers } from '../clip/load-clip.ts';
import { textTable } from '../clip/text-table.ts';
import { initialise } from '../initialise.ts';
import {
  type EntityFeatures,
  type EntityOperands,
  entityOperands,
  entityVectors,
  type MentionVectors,
  mentionVectors,
  pairScores,
  retrievalVectors,
} from './expert-vectors.ts';
import {
  type ExpertConfig,
  ExpertEncoders,
  type ExpertFeatures,
  type ExpertKind,
  type ExpertStarts,
  expertPrompts,
  ScoringUnits,
  seesImages,
  usesOf,
  usualStarts,
} from './experts.ts';
import { noPrompts, type Prompts } from './prompts.ts';
import { packOperands, sideLayout, unpackOperands } from './side-layout.ts';
import { textAttention } from './text-vectors.ts';

export type { Side } from '../../ranking/scorer.ts';

/** Features of samples that stay as they are; images are found by their number. */
export interface SideTables {
  text?: FeatureTable;
  image?: FeatureTable;
  imageRow: ReadonlyMap<number, number>;
}

/** A side of pairs: scoring vectors, or features where the tape records and gradients must flow into the units. */
export type MentionSide = MentionVectors | ExpertFeatures;
export type EntitySide = EntityOperands | ExpertFeatures;

export class Expert implements Scorer<SideTables, MentionSide, EntitySide> {
  readonly kind: ExpertKind;
  readonly config: ExpertConfig;
  readonly device: Device;
  readonly clip: ClipTowers;
  readonly encoders: ExpertEncoders;
  readonly units: ScoringUnits;
  /** What is trained in stage 1, by what it belongs to: CLIP's encoders, where they are, prompts and scoring units. */
  readonly groups: Readonly<Record<'encoders' | 'prompts' | 'units', ReadonlyMap<string, Tensor>>>;
  /** All of that, by name. */
  readonly trained: ReadonlyMap<string, Tensor>;
  /** Whether its encoders, prompts included, stay as they are in stage 1. */
  readonly isFrozen: boolean;
  /** Whether stage 1 trains CLIP as well. */
  readonly isTrainedClip: boolean;

  /** A fresh expert on CLIP's weights, which are trained as well if they want gradients. `random`: null when it is about to be loaded. */
  constructor(
    device: Device,
    kind: ExpertKind,
    clip: ClipTowers,
    shape: Omit<ExpertConfig, 'clip'>,
    random: Random | null,
    starts: ExpertStarts = usualStarts,
  ) {
    this.device = device;
    this.kind = kind;
    this.config = { ...shape, clip: clip.config };
    this.clip = clip;
    const units = initialise(device, random, (p) => new ScoringUnits(p, kind, this.config, starts.local));
    const prompts = initialise(device, random, (p) => expertPrompts(p, kind, this.config, starts.prompts));
    const encoders = new Map([...clip.tensors].filter(([, tensor]) => tensor.requiresGrad));
    this.units = units.module;
    this.encoders = new ExpertEncoders(kind, clip.module, prompts.module);
    this.groups = { encoders, prompts: prompts.tensors, units: units.tensors };
    this.trained = new Map([...encoders, ...units.tensors, ...prompts.tensors]);
    this.isTrainedClip = encoders.size > 0;
    this.isFrozen = encoders.size === 0 && prompts.tensors.size === 0;
  }

  get name(): string {
    return this.kind;
  }

  /** Encodes samples of one side with the weights of now. `images`: numbers that will be asked for. */
  async prepare(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<SideTables> {
    const prompts = this.device.scope(() => noGrad(() => this.encoders.prompts(side)));
    try {
      // Nobody knows a trained CLIP's weights by a hash any more.
      return await this.#tables(
        side,
        prompts,
        samples,
        images,
        this.isTrainedClip ? { ...features, cache: null } : features,
      );
    } finally {
      // The texts' prompts are parameters, the images' are made of them.
      for (const tensor of prompts.vision) tensor.release();
    }
  }

  /** The same with CLIP's encoders alone, as if the expert had no prompts. */
  prepareUnprompted(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<SideTables> {
    return this.#tables(side, noPrompts, samples, images, features);
  }

  async #tables(
    side: Side,
    prompts: Prompts,
    { tokens }: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<SideTables> {
    const { clip } = this;
    const tables: SideTables = { imageRow: new Map(images.map((image, row) => [image, row])) };
    if (usesOf(this.kind).text) {
      tables.text = await textTable(clip.module.text, prompts.text, tokens, features);
    }
    if (seesImages(this.kind, side)) tables.image = await imageTable(clip, prompts.vision, images, features);
    return tables;
  }

  /** Bytes of the tokens in the tables. */
  preparedBytes(samples: Samples): number {
    const uses = usesOf(this.kind);
    const r = this.textPrompts;
    const { text, vision } = this.config.clip;
    const texts = samples.tokens.lengths.reduce((sum, length) => sum + r + length, 0) * text.width;
    const images = firstImages(samples).distinct.length * (r + 1 + this.#patches) * vision.width;
    return 4 * ((uses.text ? texts : 0) + (seesImages(this.kind, 'entity') ? images : 0));
  }

  /** Rows of the tables and their images, on the device: what the units score. */
  featuresOf(
    { text, image, imageRow }: SideTables,
    rows: readonly number[],
    images: readonly number[],
  ): ExpertFeatures {
    const features: ExpertFeatures = {};
    if (text) features.text = textRows(this.device, text, rows);
    if (image) {
      features.image = imageRows(
        this.device,
        image,
        images.map((number) => imageRow.get(number)!),
      );
    }
    return features;
  }

  mentionSide({ inputs, rows, images }: Batch<SideTables>): MentionSide {
    const features = this.featuresOf(inputs, rows, images);
    return this.#isRecorded ? features : noGrad(() => mentionVectors(this.units, features));
  }

  entitySide({ inputs, rows, images }: Batch<SideTables>, rounded?: (x: Tensor) => Tensor): EntitySide {
    if (this.#isRecorded) return this.featuresOf(inputs, rows, images);
    const { device } = this;
    const { text, image, imageRow } = inputs;
    const imageAt = images.map((number) => imageRow.get(number)!);
    return noGrad(() => {
      const features: EntityFeatures = {};
      if (text) features.text = raggedTextRows(device, text, rows);
      if (image) features.image = imageRows(device, image, imageAt);
      return entityOperands(entityVectors(this.units, features, rounded));
    });
  }

  /** Scores [M, E] of all pairs, by the units from features, else from vectors. Throws EngineError for one of each. */
  scores(mentions: MentionSide, entities: EntitySide, pairMask: Tensor | null = null): Tensor {
    const { kind } = this;
    if (areFeatures(mentions) && areFeatures(entities)) return this.units.scores(mentions, entities);
    if (areFeatures(mentions) || areFeatures(entities)) {
      throw new EngineError(`${kind} expert: one side was made while the tape recorded, the other was not`);
    }
    return noGrad(() => pairScores(kind, mentions, entities, pairMask));
  }

  /**
   * What of each mention's text each entity's attends to in the text unit: [M, E, r + L], the r prompts first, 0 on padding.
   * `pairMask` as in `scores`. Null for an expert without texts. Throws EngineError for sides that were made while the tape recorded.
   */
  textAttention(mentions: MentionSide, entities: EntitySide, pairMask: Tensor | null = null): Tensor | null {
    if (areFeatures(mentions) || areFeatures(entities)) {
      throw new EngineError(`${this.kind} expert: attention is looked at without gradients`);
    }
    const { text } = mentions;
    return text && entities.text ? noGrad(() => textAttention(text, entities.text!, pairMask)) : null;
  }

  /** How many prompts stand in front of a text's tokens. */
  get textPrompts(): number {
    const { length, depth } = this.config.prompts;
    return usesOf(this.kind).prompts && depth > 0 ? length : 0;
  }

  /** Making a mask costs about what scores of images alone cost. */
  get usesPairMask(): boolean {
    return usesOf(this.kind).text;
  }

  /** The attention weights or the context of a text. */
  pairSize(mentions: MentionSide): number {
    if (areFeatures(mentions)) return this.config.hidden;
    const [, L, h] = mentions.text?.keys.shape ?? [0, 0, 0];
    return Math.max(L!, h!);
  }

  get layout(): SideLayout {
    const { hidden, clip } = this.config;
    return sideLayout(this.kind, hidden, clip.projection);
  }

  pack(entities: EntitySide): PackedSide {
    if (areFeatures(entities)) throw new EngineError(`${this.kind} expert: features cannot be stored`);
    return packOperands(entities);
  }

  unpack(packed: PackedSide): EntitySide {
    return unpackOperands(this.kind, this.config.hidden, packed);
  }

  get retrievalPart(): string | null {
    return usesOf(this.kind).text ? 'embeds' : null;
  }

  retrievalVectors(_side: Side, { inputs: { text }, rows }: Batch<SideTables>): Tensor {
    if (!text) throw new EngineError(`${this.kind} expert: has no texts to retrieve by`);
    const embeds = this.device.tensor([rows.length, text.projection], embedsOf(text, rows));
    return noGrad(() => retrievalVectors(this.units, embeds));
  }

  /** Encodes samples with gradients; `pixels` [distinct images, 3, S, S], image i being places[i] there. */
  encode(
    side: Side,
    texts: TextBatch,
    pixels: Tensor | null,
    places: Int32Array<ArrayBuffer>,
  ): ExpertFeatures {
    const input = { texts, ...(pixels ? { pixels } : {}) };
    const features = this.encoders.encode(side, input);
    if (features.image) features.image = repeatImages(features.image, places);
    return features;
  }

  /** Encodes texts alone, as `encode` does. */
  encodeTexts(side: Side, texts: TextBatch): TextFeatures {
    return this.clip.module.text.encode(texts, this.encoders.prompts(side).text);
  }

  /** Encodes images alone, as `encode` does: pixels [B, 3, S, S] -> B images' features. */
  encodeImages(side: Side, pixels: Tensor): Features {
    return this.clip.module.vision.encode(pixels, this.encoders.prompts(side).vision);
  }

  /** Whether gradients flow into what is made of features now. */
  get #isRecorded(): boolean {
    return willRecord(...this.trained.values());
  }

  get #patches(): number {
    const { imageSize, patchSize } = this.config.clip.vision;
    return Math.floor(imageSize / patchSize) ** 2;
  }
}

/** Vectors of a text have keys or queries, features its tokens. */
function areFeatures(side: MentionSide | EntitySide): side is ExpertFeatures {
  return 'image' in side || (side.text !== undefined && 'tokens' in side.text);
}
