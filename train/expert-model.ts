// An expert at work: its weights beside CLIP's, its batches in training, its tables of features and its scores in
// evaluation. Whatever of it is frozen is encoded once.

import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import { embedding } from '../engine/ops/embedding.ts';
import { reshape } from '../engine/ops/shape.ts';
import type { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { Features } from '../model/clip.ts';
import {
  type ExpertConfig,
  type ExpertFeatures,
  type ExpertKind,
  encodeFor,
  expertScores,
} from '../model/experts.ts';
import { expertSpecs, initialise } from '../model/initialise.ts';
import { Parameters } from '../model/parameters.ts';
import { interactivePrompts } from '../model/prompts.ts';
import type { LoadedClip } from '../weights/clip.ts';
import { cachedTable, hashOf } from './feature-cache.ts';
import { encodeImages, encodeTexts, type FeatureTable, imageRows, textRows } from './features.ts';
import type { PixelSource } from './pixels.ts';
import { fileStamp, firstImage, pickTexts, type Samples } from './samples.ts';

export type Side = 'mention' | 'entity';

/** Features of samples that stay as they are; images are found by their number. */
export interface SideTables {
  text?: FeatureTable;
  image?: FeatureTable;
  imageRow: ReadonlyMap<number, number>;
}

/** Where features come from and are kept. */
export interface FeatureOptions {
  source: PixelSource;
  files: readonly (string | null)[];
  /** Folder of the cache, '' for none. */
  cache: string;
  /** Hash of CLIP's files. */
  clipHash: string;
}

export class Expert {
  readonly kind: ExpertKind;
  readonly config: ExpertConfig;
  readonly device: Device;
  /** What is trained in stage 1, by name. */
  readonly trained: ReadonlyMap<string, Tensor>;
  /** All weights. */
  readonly parameters: Parameters;
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
  ) {
    this.device = device;
    this.kind = kind;
    this.config = { ...shape, clip: clip.config };
    const own = initialise(device, expertSpecs(kind, this.config), random);
    const finetuned = [...clip.tensors].filter(([, tensor]) => tensor.requiresGrad);
    this.trained = new Map([...finetuned, ...own]);
    this.parameters = new Parameters(new Map([...clip.tensors, ...own]));
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
    const { clip, prompts: shape } = this.config;
    const prompts = noGrad(() =>
      kind === 'multimodal' ? interactivePrompts(parameters, clip, shape, side) : { text: [], vision: [] },
    );
    const hashes = (of: readonly Tensor[]) => Promise.all(of.map((tensor) => device.read<'f32'>(tensor)));
    const tables: SideTables = { imageRow: new Map(images.map((image, row) => [image, row])) };
    if (kind !== 'visual') {
      const { ids, mask } = samples.tokens;
      const key = hashOf(['text', clipHash, ids, mask, ...(await hashes(prompts.text))]);
      tables.text = await cachedTable(cache, key, () =>
        encodeTexts({ device, parameters, config: clip, prompts: prompts.text }, samples.tokens),
      );
    }
    if (kind !== 'text') {
      const stamps = await Promise.all(images.map((image) => fileStamp(files[image]!)));
      const how = JSON.stringify(source.how);
      const key = hashOf(['image', clipHash, how, ...stamps, ...(await hashes(prompts.vision))]);
      tables.image = await cachedTable(cache, key, () =>
        encodeImages({ device, parameters, config: clip, prompts: prompts.vision }, source, images),
      );
    }
    return tables;
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

  /**
   * Encodes samples with gradients. `pixels` [distinct images, 3, S, S] holds each image once; image i is
   * places[i] there.
   */
  encode(
    side: Side,
    samples: Samples,
    rows: readonly number[],
    pixels: Tensor | null,
    places: Int32Array<ArrayBuffer>,
  ): ExpertFeatures {
    const input = { texts: pickTexts(samples.tokens, rows), ...(pixels ? { pixels } : {}) };
    const features = encodeFor(this.kind, this.parameters, this.config, side, input);
    if (features.image) features.image = repeated(features.image, places);
    return features;
  }

  /** Scores [M, E] of all pairs. */
  scores(mention: ExpertFeatures, entity: ExpertFeatures): Tensor {
    return expertScores(this.kind, this.parameters, this.config.hidden, mention, entity);
  }
}

/** Each number's first image, and the distinct ones of all samples. */
export function firstImages(samples: Samples): { each: number[]; distinct: number[] } {
  const each = samples.images.map((_, row) => firstImage(samples, row));
  return { each, distinct: [...new Set(each)] };
}

/** The images' features in the order of `places`, repeated where an image occurs more than once. */
function repeated({ tokens, embeds }: Features, places: Int32Array<ArrayBuffer>): Features {
  const [n, T, width] = tokens.shape as [number, number, number];
  const rows = tokens.device.tensor([places.length], places, { name: 'image places' });
  return {
    tokens: reshape(embedding(reshape(tokens, [n, T * width]), rows), [places.length, T, width]),
    embeds: embedding(embeds, rows),
  };
}
