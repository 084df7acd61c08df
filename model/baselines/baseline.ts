// What the training and the report know of a baseline beyond its being a Scorer.

import type { TextBatch } from '../../encoding/samples.ts';
import type { Device } from '../../engine/device.ts';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Scorer } from '../../ranking/scorer.ts';
import type { LoadedClip } from '../clip/load-clip.ts';

/** What baselines are built from. */
export interface BaselineParts {
  device: Device;
  /** A baseline that trains CLIP gets one of its own. */
  clip: Pick<LoadedClip, 'module' | 'tensors' | 'config'>;
  /** What fresh parameters are drawn from. */
  random: Random;
}

/** A side of a training batch before encoding. */
export interface SideInput {
  texts: TextBatch;
  /** Each distinct image once, normalised: [images, 3, S, S]. */
  pixels: Tensor;
  /** Where each sample's image is among them: [samples]. */
  places: Int32Array<ArrayBuffer>;
}

/** What training changes, and how far the optimiser's weight decay reaches: not to biases, norms and scales. */
export interface ParameterGroups {
  decayed: ReadonlyMap<string, Tensor>;
  others: ReadonlyMap<string, Tensor>;
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
  /** Largest norm of all gradients together; 0: any. */
  clipNorm: number;
}

export interface Baseline<Inputs, M, E> extends Scorer<Inputs, M, E> {
  /** What training changes; both empty for a system that is used as it comes. */
  readonly groups: ParameterGroups;
  /** Whether `prepare` holds all that sides are made of; else training makes them by `encodeMentions`, `encodeEntities`. */
  readonly isFrozen: boolean;
  /** Sides that gradients flow into are records of tensors with a row a sample, so that a batch can be encoded in parts. */
  encodeMentions(input: SideInput): M;
  encodeEntities(input: SideInput): E;
  /** The loss of a batch, []: column i is row i's own entity; entities [E]: which entity each column is, by any number. */
  loss(mentions: M, entities: E, columns: Int32Array): Tensor;
  /** Brings parameters back into their bounds. Call it after each step of the optimiser. */
  afterStep(): void;
}

/** A baseline whatever its sides are. */
// biome-ignore lint/suspicious/noExplicitAny: who holds baselines of several kinds hands a baseline's sides back to it only.
export type AnyBaseline = Baseline<any, any, any>;

/** Groups of parameters by what they are: matrices decay. */
export function parameterGroups(tensors: ReadonlyMap<string, Tensor>): ParameterGroups {
  const those = (isMatrix: boolean) => new Map([...tensors].filter(([, { rank }]) => rank >= 2 === isMatrix));
  return { decayed: those(true), others: those(false) };
}
