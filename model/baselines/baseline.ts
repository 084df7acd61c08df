// What the training and the report know of a baseline beyond its being a Scorer.

import type { PixelSource } from '../../data/images/pixel-source.ts';
import type { WordPiece } from '../../data/text/wordpiece/wordpiece.ts';
import type { FeatureOptions } from '../../encoding/features.ts';
import type { Samples } from '../../encoding/samples.ts';
import type { Device } from '../../engine/device.ts';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Batch, Scorer, Side } from '../../ranking/scorer.ts';
import type { LoadedAlbef } from '../albef/load-albef.ts';
import type { LoadedBert } from '../bert/load-bert.ts';
import type { LoadedClip } from '../clip/load-clip.ts';

/** A CLIP that a baseline works with. */
export type ClipPart = Pick<LoadedClip, 'module' | 'tensors' | 'config'>;

/** A BERT with the tokenizer of its vocabulary. */
export interface BertPart extends LoadedBert {
  tokenizer: WordPiece;
}

/** An ALBEF with the tokenizer of its vocabulary. */
export interface AlbefPart extends LoadedAlbef {
  tokenizer: WordPiece;
}

/** The pretrained encoders that a baseline may train. */
export type EncoderName = 'clip' | 'bert' | 'albef';

/** Loads pretrained encoders for a baseline alone: trainable, and released with it. Call it outside of any scope. */
export interface OwnEncoders {
  clip(): Promise<ClipPart>;
  bert(): Promise<BertPart>;
  /** `matching`: with the matching head. */
  albef(options?: { matching?: boolean }): Promise<AlbefPart>;
}

/** What baselines are built from. */
export interface BaselineParts {
  device: Device;
  /** The CLIP that all share; it stays as it is. */
  clip: ClipPart;
  own: OwnEncoders;
  /** What fresh parameters are drawn from. */
  random: Random;
}

/** Samples of a side to be encoded, each with its image. */
export interface EncodingBatch<Inputs> extends Batch<Inputs> {
  /** Of a system that encodes pixels: each distinct image once, normalised, [images, 3, S, S]. */
  pixels: Tensor | null;
  /** Where each sample's image is among them: [samples]. */
  places: Int32Array<ArrayBuffer>;
  /** What dropout draws from; null where nothing is dropped. */
  random: Random | null;
  /** Of a batch that is encoded in parts: the rows of all, which sides of a row a token are as long as. Default: `rows`. */
  allRows?: readonly number[];
}

/** What training changes, and how far the optimiser's weight decay reaches: not to biases, norms and scales. */
export interface ParameterGroups {
  decayed: ReadonlyMap<string, Tensor>;
  others: ReadonlyMap<string, Tensor>;
  /** Factors on the learning rate, for parameters that have one of their own. */
  rates?: ReadonlyMap<Tensor, number>;
}

/** How a baseline is trained unless told otherwise, by AdamW; the best epoch by validation is kept. */
export interface Recipe {
  learningRate: number;
  weightDecay: number;
  batchSize: number;
  epochs: number;
  schedule: 'constant' | 'cosine' | 'linear';
  /** Part of the steps in which the learning rate rises to its height. */
  warmup: number;
  /** Part of the learning rate that a falling schedule ends at. Default 0. */
  finalRate?: number;
  /** Largest norm of all gradients together; 0: any. */
  clipNorm: number;
  /** Added to the root of Adam's second moments. Default 1e-8. */
  eps?: number;
  /** Ends the training after so many epochs without a better one; 0: never. Default 0. */
  patience?: number;
  /** Entities a mention that its weights of then take for its own, as further columns in the last `hardEpochs`. Default 0. */
  hardNegatives?: number;
  hardEpochs?: number;
}

/**
 * A system to compare with. `Inputs`: what `prepare` keeps of samples, made with the weights of now; `Raw`: what training encodes
 * samples from, which stays the same while weights change.
 */
export interface Baseline<Inputs, M, E, Raw> extends Scorer<Inputs, M, E> {
  /** What training changes; both empty for a system that is used as it comes. */
  readonly groups: ParameterGroups;
  /** Token ids, features of frozen encoders. All that must wait happens here, but for pixels. `images`: as in `prepare`. */
  trainingInputs(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<Raw>;
  /** Where a system that encodes pixels has them from; null for others. The same for the same features. */
  pixelSource(features: FeatureOptions): PixelSource | null;
  /** Sides that gradients flow into: records of tensors with a row a sample, so that a batch can be encoded in parts. */
  encodeMentions(batch: EncodingBatch<Raw>): M;
  encodeEntities(batch: EncodingBatch<Raw>): E;
  /** Both sides at once, where that is less work than one after the other; the same but for rounding. */
  encodeBoth?(mentions: EncodingBatch<Raw>, entities: EncodingBatch<Raw>): { mentions: M; entities: E };
  /** The loss of a batch, []: column i is row i's own entity; entities [E]: which entity each column is, by any number. */
  loss(mentions: M, entities: E, columns: Int32Array): Tensor;
  /** Brings parameters back into their bounds. Call it after each step of the optimiser. */
  afterStep(): void;
  /** Lines about the samples that were prepared since the last time, of a system that has something to say of them. */
  takeWarnings?(): string[];
  /** Lines on how it saw the samples that were prepared since the last time; told at each validation. */
  takeRemarks?(): string[];
}

/** A baseline whatever its sides are. */
// biome-ignore lint/suspicious/noExplicitAny: who holds baselines of several kinds hands a baseline's sides back to it only.
export type AnyBaseline = Baseline<any, any, any, any>;

/** Groups of parameters by what they are: matrices decay. */
export function parameterGroups(tensors: ReadonlyMap<string, Tensor>): ParameterGroups {
  const those = (isMatrix: boolean) => new Map([...tensors].filter(([, { rank }]) => rank >= 2 === isMatrix));
  return { decayed: those(true), others: those(false) };
}

/** All that training changes, by name. */
export function trainedTensors({ groups }: Pick<AnyBaseline, 'groups'>): ReadonlyMap<string, Tensor> {
  return new Map([...groups.decayed, ...groups.others]);
}
