// An expert at work: its weights beside CLIP's, its batches in training, and as a Scorer its features, its sides and its
// scores. Whatever of it is frozen is encoded once.

import { keptTable } from '../../encoding/feature-cache.ts';
import {
  embedsOf,
  encodeImages,
  encodeTexts,
  type FeatureOptions,
  type FeatureTable,
  imageRows,
  raggedTextRows,
  textRows,
} from '../../encoding/features.ts';
import { fileStamp, firstImages, type Samples } from '../../encoding/samples.ts';
import { noGrad, willRecord } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { EngineError } from '../../engine/errors.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { hashOf } from '../../files/fingerprint.ts';
import type { Batch, PackedSide, Scorer, Side, SideLayout } from '../../ranking/scorer.ts';
import { encodeImage, encodeText, type Features, type TextBatch, type TextFeatures } from '../clip/clip.ts';
import type { LoadedClip } from '../clip/load-clip.ts';
import { expertSpecs, initialise, type PromptStart } from '../initialise.ts';
import { ParameterStore } from '../parameter-store.ts';
import {
  type EntityFeatures,
  type EntityOperands,
  entityOperands,
  entityVectors,
  globalVectors,
  type MentionVectors,
  mentionVectors,
  pairScores,
} from './expert-vectors.ts';
import {
  type ExpertConfig,
  type ExpertFeatures,
  type ExpertKind,
  encodeFor,
  expertScores,
} from './experts.ts';
import { interactivePrompts, type Prompts } from './prompts.ts';
import { packOperands, sideLayout, unpackOperands } from './side-layout.ts';

export type { Side } from '../../ranking/scorer.ts';

/** Features of samples that stay as they are; images are found by their number. */
export interface SideTables {
  text?: FeatureTable;
  image?: FeatureTable;
  imageRow: ReadonlyMap<number, number>;
}

/** A side of pairs: scoring vectors, or features where the tape records and gradients must flow into the units. */
type MentionSide = MentionVectors | ExpertFeatures;
type EntitySide = EntityOperands | ExpertFeatures;

export class Expert implements Scorer<SideTables, MentionSide, EntitySide> {
  readonly kind: ExpertKind;
  readonly config: ExpertConfig;
  readonly device: Device;
  /** What is trained in stage 1, by name. */
  readonly trained: ReadonlyMap<string, Tensor>;
  /** All weights. */
  readonly parameters: ParameterStore;
  /** Whether its encoders, prompts included, stay as they are in stage 1. */
  readonly isFrozen: boolean;
  /** Whether stage 1 trains CLIP as well. */
  readonly isTrainedClip: boolean;

  /** A fresh expert on CLIP's weights, which are trained as well if they want gradients. */
  constructor(
    device: Device,
    kind: ExpertKind,
    clip: LoadedClip,
    shape: Omit<ExpertConfig, 'clip'>,
    random: Random,
    promptStart: PromptStart = 'random',
  ) {
    this.device = device;
    this.kind = kind;
    this.config = { ...shape, clip: clip.config };
    const own = initialise(device, expertSpecs(kind, this.config, promptStart), random);
    const finetuned = [...clip.tensors].filter(([, tensor]) => tensor.requiresGrad);
    this.trained = new Map([...finetuned, ...own]);
    this.parameters = new ParameterStore(new Map([...clip.tensors, ...own]));
    this.isTrainedClip = finetuned.length > 0;
    this.isFrozen = finetuned.length === 0 && (kind !== 'multimodal' || shape.prompts.depth === 0);
  }

  get name(): string {
    return this.kind;
  }

  /** Encodes samples of one side with the weights of now. `images`: numbers that will be asked for. */
  async prepare(
    side: Side,
    samples: Samples,
    images: readonly number[],
    { source, files, cache, clipHash }: FeatureOptions,
  ): Promise<SideTables> {
    const { device, parameters, kind } = this;
    const { clip } = this.config;
    const { projection } = clip;
    const prompts = noGrad(() => this.#prompts(side));
    const promptValues = (of: readonly Tensor[]) =>
      Promise.all(of.map((tensor) => device.read<'f32'>(tensor)));
    const tables: SideTables = { imageRow: new Map(images.map((image, row) => [image, row])) };
    if (kind !== 'visual') {
      const { ids, mask } = samples.tokens;
      const key = this.#key(['text', clipHash, ids, mask, ...(await promptValues(prompts.text))]);
      const encoder = {
        device,
        width: clip.text.width,
        projection,
        prompts: prompts.text[0]?.shape[0] ?? 0,
        encode: (texts: TextBatch) => encodeText(parameters, clip, texts, prompts.text),
      };
      tables.text = await keptTable(cache, key, encodeTexts(encoder, samples.tokens));
    }
    if (kind !== 'text') {
      const stamps = await Promise.all(images.map((image) => fileStamp(files[image]!)));
      const how = JSON.stringify(source.how);
      const key = this.#key(['image', clipHash, how, ...stamps, ...(await promptValues(prompts.vision))]);
      const encoder = {
        device,
        width: clip.vision.width,
        projection,
        tokens: (prompts.vision[0]?.shape[0] ?? 0) + 1 + this.#patches,
        encode: (pixels: Tensor) => encodeImage(parameters, clip, pixels, prompts.vision),
      };
      tables.image = await keptTable(cache, key, encodeImages(encoder, source, images));
    }
    return tables;
  }

  /** Bytes of the tokens in the tables. */
  preparedBytes(samples: Samples): number {
    const { clip, prompts } = this.config;
    const r = this.kind === 'multimodal' && prompts.depth > 0 ? prompts.length : 0;
    const { text, vision } = clip;
    const texts = samples.tokens.lengths.reduce((sum, length) => sum + r + length, 0) * text.width;
    const images = firstImages(samples).distinct.length * (r + 1 + this.#patches) * vision.width;
    return 4 * ((this.kind !== 'visual' ? texts : 0) + (this.kind !== 'text' ? images : 0));
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
    const { kind, parameters, config } = this;
    const features = this.featuresOf(inputs, rows, images);
    if (this.#isRecorded) return features;
    return noGrad(() => mentionVectors(kind, parameters, config.hidden, features));
  }

  entitySide({ inputs, rows, images }: Batch<SideTables>, rounded?: (x: Tensor) => Tensor): EntitySide {
    if (this.#isRecorded) return this.featuresOf(inputs, rows, images);
    const { device, kind, parameters, config } = this;
    const { text, image, imageRow } = inputs;
    const imageAt = images.map((number) => imageRow.get(number)!);
    return noGrad(() => {
      const features: EntityFeatures = {};
      if (text) {
        const { offsets, ...texts } = raggedTextRows(device, text, rows);
        features.text = { ...texts, first: offsets };
      }
      if (image) features.image = imageRows(device, image, imageAt);
      return entityOperands(entityVectors(kind, parameters, config.hidden, features, rounded));
    });
  }

  /** Scores [M, E] of all pairs, by the units from features, else from vectors. Throws EngineError for one of each. */
  scores(mentions: MentionSide, entities: EntitySide, pairMask: Tensor | null = null): Tensor {
    const { kind, parameters, config } = this;
    if (areFeatures(mentions) && areFeatures(entities)) {
      return expertScores(kind, parameters, config.hidden, mentions, entities);
    }
    if (areFeatures(mentions) || areFeatures(entities)) {
      throw new EngineError(`${kind} expert: one side was made while the tape recorded, the other was not`);
    }
    return noGrad(() => pairScores(kind, mentions, entities, pairMask));
  }

  /** Making a mask costs about what scores of images alone cost. */
  get usesPairMask(): boolean {
    return this.kind !== 'visual';
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
    return this.kind === 'visual' ? null : 'global';
  }

  retrievalVectors(_side: Side, { inputs: { text }, rows }: Batch<SideTables>): Tensor {
    if (!text) throw new EngineError(`${this.kind} expert: has no texts to retrieve by`);
    const embeds = this.device.tensor([rows.length, text.projection], embedsOf(text, rows));
    return noGrad(() => globalVectors(this.parameters, embeds));
  }

  /** Encodes samples with gradients; `pixels` [distinct images, 3, S, S], image i being places[i] there. */
  encode(
    side: Side,
    texts: TextBatch,
    pixels: Tensor | null,
    places: Int32Array<ArrayBuffer>,
  ): ExpertFeatures {
    const input = { texts, ...(pixels ? { pixels } : {}) };
    const features = encodeFor(this.kind, this.parameters, this.config, side, input);
    if (features.image) features.image = repeatImages(features.image, places);
    return features;
  }

  /** Encodes texts alone, as `encode` does. */
  encodeTexts(side: Side, texts: TextBatch): TextFeatures {
    return encodeText(this.parameters, this.config.clip, texts, this.#prompts(side).text);
  }

  /** Encodes images alone, as `encode` does: pixels [B, 3, S, S] -> B images' features. */
  encodeImages(side: Side, pixels: Tensor): Features {
    return encodeImage(this.parameters, this.config.clip, pixels, this.#prompts(side).vision);
  }

  /** What a table is kept under; null where none is kept, since nobody knows CLIP's weights by a hash any more. */
  #key(parts: readonly (string | ArrayBufferView)[]): string | null {
    return this.isTrainedClip ? null : hashOf(parts);
  }

  /** Whether gradients flow into what is made of features now. */
  get #isRecorded(): boolean {
    return willRecord(...this.trained.values());
  }

  get #patches(): number {
    const { imageSize, patchSize } = this.config.clip.vision;
    return Math.floor(imageSize / patchSize) ** 2;
  }

  /** The side's prompts as the weights now make them; none but for the multimodal expert. */
  #prompts(side: Side): Prompts {
    const { clip, prompts } = this.config;
    if (this.kind !== 'multimodal') return { text: [], vision: [] };
    return interactivePrompts(this.parameters, clip, prompts, side);
  }
}

/** Vectors of a text have keys or queries, features its tokens. */
function areFeatures(side: MentionSide | EntitySide): side is ExpertFeatures {
  return 'image' in side || (side.text !== undefined && 'tokens' in side.text);
}

/** The images' features in the order of `places`, repeated where an image occurs more than once. */
export function repeatImages({ tokens, embeds }: Features, places: Int32Array<ArrayBuffer>): Features {
  const [n, T, width] = tokens.shape as [number, number, number];
  const rows = tokens.device.tensor([places.length], places, { name: 'image places' });
  return {
    tokens: reshape(embedding(reshape(tokens, [n, T * width]), rows), [places.length, T, width]),
    embeds: embedding(embeds, rows),
  };
}
