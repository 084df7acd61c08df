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
import type { Features, TextBatch, TextFeatures } from '../clip/clip.ts';
import type { LoadedClip } from '../clip/load-clip.ts';
import { initialise } from '../initialise.ts';
import {
  type EntityVectors,
  entityVectors,
  type MentionVectors,
  mentionVectors,
  retrievalVectors,
} from './expert-vectors.ts';
import {
  type ExpertConfig,
  ExpertEncoders,
  type ExpertFeatures,
  type ExpertKind,
  expertPrompts,
  ScoringUnits,
  usesOf,
} from './experts.ts';
import type { PromptStart } from './prompts.ts';

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
  readonly clip: LoadedClip;
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
    this.clip = clip;
    const units = initialise(device, random, (p) => new ScoringUnits(p, kind, this.config));
    const prompts = initialise(device, random, (p) => expertPrompts(p, kind, this.config, promptStart));
    const encoders = new Map([...clip.tensors].filter(([, tensor]) => tensor.requiresGrad));
    this.units = units.module;
    this.encoders = new ExpertEncoders(kind, clip.module, prompts.module);
    this.groups = { encoders, prompts: prompts.tensors, units: units.tensors };
    this.trained = new Map([...encoders, ...units.tensors, ...prompts.tensors]);
    this.isTrainedClip = encoders.size > 0;
    this.isFrozen = encoders.size === 0 && prompts.tensors.size === 0;
  }

  /** Encodes samples of one side with the weights of now, for `featuresOf`. `images`: numbers that will be asked for. */
  async tables(
    side: Side,
    samples: Samples,
    images: readonly number[],
    { source, files, cache, clipHash }: FeatureOptions,
  ): Promise<SideTables> {
    const { device } = this;
    const { text, vision } = this.clip.module;
    const uses = usesOf(this.kind);
    const prompts = noGrad(() => this.encoders.prompts(side));
    const hashes = (of: readonly Tensor[]) => Promise.all(of.map((tensor) => device.read<'f32'>(tensor)));
    const tables: SideTables = { imageRow: new Map(images.map((image, row) => [image, row])) };
    if (uses.text) {
      const { ids, mask } = samples.tokens;
      const key = hashOf(['text', clipHash, ids, mask, ...(await hashes(prompts.text))]);
      const encoder = { device, encoder: text, prompts: prompts.text };
      tables.text = await keptTable(cache, key, encodeTexts(encoder, samples.tokens));
    }
    if (uses.image) {
      const stamps = await Promise.all(images.map((image) => fileStamp(files[image]!)));
      const how = JSON.stringify(source.how);
      const key = hashOf(['image', clipHash, how, ...stamps, ...(await hashes(prompts.vision))]);
      const encoder = { device, encoder: vision, prompts: prompts.vision };
      tables.image = await keptTable(cache, key, encodeImages(encoder, source, images));
    }
    return tables;
  }

  /** Bytes of the tokens in the tables of samples, each with its first image. */
  tableBytes(samples: Samples): number {
    const { clip, prompts } = this.config;
    const uses = usesOf(this.kind);
    const r = uses.prompts && prompts.depth > 0 ? prompts.length : 0;
    const { text, vision } = clip;
    const texts = samples.tokens.lengths.reduce((sum, length) => sum + r + length, 0) * text.width;
    const patches = Math.floor(vision.imageSize / vision.patchSize) ** 2;
    const images = firstImages(samples).distinct.length * (r + 1 + patches) * vision.width;
    return 4 * ((uses.text ? texts : 0) + (uses.image ? images : 0));
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
    return noGrad(() => mentionVectors(this.units, this.featuresOf(tables, rows, images)));
  }

  /** What scores need of entities; `rounded` is what storing a tensor makes of it. No gradients. */
  entityVectors(
    { text, image, imageRow }: SideTables,
    rows: readonly number[],
    images: readonly number[],
    rounded?: (x: Tensor) => Tensor,
  ): EntityVectors {
    const { device } = this;
    const imageAt = images.map((number) => imageRow.get(number)!);
    return noGrad(() => {
      const features = {
        ...(text ? { text: raggedTextRows(device, text, rows) } : {}),
        ...(image ? { image: imageRows(device, image, imageAt) } : {}),
      };
      return entityVectors(this.units, features, rounded);
    });
  }

  /** What dense retrieval compares rows of text tables by, [rows, d_z]. */
  globalVectors(table: FeatureTable, rows: readonly number[]): Tensor {
    const embeds = this.device.tensor([rows.length, table.projection], embedsOf(table, rows));
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

  /** Scores [M, E] of all pairs. */
  scores(mention: ExpertFeatures, entity: ExpertFeatures): Tensor {
    return this.units.scores(mention, entity);
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
