// An expert at work: its weights beside CLIP's, its batches in training, its tables of features and its scores in
// evaluation. Whatever of it is frozen is encoded once.

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
import { fileStamp, firstImage, type Samples } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { encodeImage, encodeText, type Features, type TextBatch, type TextFeatures } from '../clip/clip.ts';
import type { LoadedClip } from '../clip/load-clip.ts';
import { expertSpecs, initialise, type PromptStart } from '../initialise.ts';
import { ParameterStore } from '../parameter-store.ts';
import {
  type EntityVectors,
  entityVectors,
  globalVectors,
  type MentionVectors,
  mentionVectors,
} from './expert-vectors.ts';
import {
  type ExpertConfig,
  type ExpertFeatures,
  type ExpertKind,
  encodeFor,
  expertScores,
} from './experts.ts';
import { interactivePrompts, type Prompts } from './prompts.ts';

export type Side = 'mention' | 'entity';

/** Features of samples that stay as they are; images are found by their number. */
export interface SideTables {
  text?: FeatureTable;
  image?: FeatureTable;
  imageRow: ReadonlyMap<number, number>;
}

/** Where a trained expert has its features from: those of a CLIP of its own are not kept. */
export function lastingFeatures(
  { features }: { features: FeatureOptions },
  { isTrainedClip }: { isTrainedClip: boolean },
): FeatureOptions {
  return isTrainedClip ? { ...features, cache: '' } : features;
}

export class Expert {
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

  /** Encodes samples of one side with the weights of now, for `featuresOf`. `images`: numbers that will be asked for. */
  async tables(
    side: Side,
    samples: Samples,
    images: readonly number[],
    { source, files, cache, clipHash }: FeatureOptions,
  ): Promise<SideTables> {
    const { device, parameters, kind } = this;
    const { clip } = this.config;
    const prompts = noGrad(() => this.#prompts(side));
    const hashes = (of: readonly Tensor[]) => Promise.all(of.map((tensor) => device.read<'f32'>(tensor)));
    const tables: SideTables = { imageRow: new Map(images.map((image, row) => [image, row])) };
    if (kind !== 'visual') {
      const { ids, mask } = samples.tokens;
      const key = hashOf(['text', clipHash, ids, mask, ...(await hashes(prompts.text))]);
      const encoder = { device, parameters, config: clip, prompts: prompts.text };
      tables.text = await keptTable(cache, key, encodeTexts(encoder, samples.tokens));
    }
    if (kind !== 'text') {
      const stamps = await Promise.all(images.map((image) => fileStamp(files[image]!)));
      const how = JSON.stringify(source.how);
      const key = hashOf(['image', clipHash, how, ...stamps, ...(await hashes(prompts.vision))]);
      const encoder = { device, parameters, config: clip, prompts: prompts.vision };
      tables.image = await keptTable(cache, key, encodeImages(encoder, source, images));
    }
    return tables;
  }

  /** Bytes of the tokens in the tables of samples, each with its first image. */
  tableBytes(samples: Samples): number {
    const { clip, prompts } = this.config;
    const r = this.kind === 'multimodal' && prompts.depth > 0 ? prompts.length : 0;
    const { text, vision } = clip;
    const texts = samples.tokens.lengths.reduce((sum, length) => sum + r + length, 0) * text.width;
    const patches = Math.floor(vision.imageSize / vision.patchSize) ** 2;
    const images = firstImages(samples).distinct.length * (r + 1 + patches) * vision.width;
    return 4 * ((this.kind !== 'visual' ? texts : 0) + (this.kind !== 'text' ? images : 0));
  }

  /** Rows of the tables and their images, on the device. */
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

  /** What scores need of mentions: rows of the tables and their images. No gradients. */
  mentionVectors(tables: SideTables, rows: readonly number[], images: readonly number[]): MentionVectors {
    const { kind, parameters, config } = this;
    return noGrad(() =>
      mentionVectors(kind, parameters, config.hidden, this.featuresOf(tables, rows, images)),
    );
  }

  /** What scores need of entities; `rounded` is what storing a tensor makes of it. No gradients. */
  entityVectors(
    { text, image, imageRow }: SideTables,
    rows: readonly number[],
    images: readonly number[],
    rounded?: (x: Tensor) => Tensor,
  ): EntityVectors {
    const { device, kind, parameters, config } = this;
    const imageAt = images.map((number) => imageRow.get(number)!);
    return noGrad(() => {
      const features = {
        ...(text ? { text: raggedTextRows(device, text, rows) } : {}),
        ...(image ? { image: imageRows(device, image, imageAt) } : {}),
      };
      return entityVectors(kind, parameters, config.hidden, features, rounded);
    });
  }

  /** What dense retrieval compares rows of text tables by, [rows, d_z]. */
  globalVectors(table: FeatureTable, rows: readonly number[]): Tensor {
    const embeds = this.device.tensor([rows.length, table.projection], embedsOf(table, rows));
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

  /** Scores [M, E] of all pairs. */
  scores(mention: ExpertFeatures, entity: ExpertFeatures): Tensor {
    return expertScores(this.kind, this.parameters, this.config.hidden, mention, entity);
  }

  /** The side's prompts as the weights now make them; none but for the multimodal expert. */
  #prompts(side: Side): Prompts {
    const { clip, prompts } = this.config;
    if (this.kind !== 'multimodal') return { text: [], vision: [] };
    return interactivePrompts(this.parameters, clip, prompts, side);
  }
}

/** Each number's first image, and the distinct ones of all samples. */
export function firstImages(samples: Samples): { each: number[]; distinct: number[] } {
  const each = samples.images.map((_, row) => firstImage(samples, row));
  return { each, distinct: [...new Set(each)] };
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
