// What ranking, index, retrieval, linking and evaluation know of a system that scores pairs of mentions and entities:
// this and nothing else. Experts, baselines, the plain mean and DSMIP are Scorers. Knows nothing of networks.

import type { FeatureOptions } from '../encoding/features.ts';
import type { Samples } from '../encoding/samples.ts';
import type { Device } from '../engine/device.ts';
import type { Tensor } from '../engine/tensor.ts';

/** The two sides of a pair. */
export type Side = 'mention' | 'entity';

/** Rows of prepared samples, and the number of the image that each is taken with. */
export interface Batch<Inputs> {
  inputs: Inputs;
  rows: readonly number[];
  images: readonly number[];
}

/**
 * A system that scores pairs of mentions and entities from what each side alone gives. `Inputs` is what it keeps of
 * samples on the host (features of frozen encoders, token ids); `M` and `E` hold tensors on the device, in plain objects
 * and arrays, so that whoever holds a side can find and release them.
 */
export interface Scorer<Inputs, M, E> {
  readonly name: string;
  readonly device: Device;
  /**
   * Encodes what is frozen about samples, or finds it in the cache. `images`: the numbers of those that batches may ask
   * for. All that must wait happens here, so that batches are made inside a device's scope.
   */
  prepare(side: Side, samples: Samples, images: readonly number[], features: FeatureOptions): Promise<Inputs>;
  /** Bytes that the result of `prepare` takes for all of these entities, each with its first image. */
  preparedBytes(samples: Samples): number;
  /** What scoring needs of mentions, in the current scope. */
  mentionSide(batch: Batch<Inputs>): M;
  /** The same of entities; `rounded` is what storing a tensor in an index will make of it. */
  entitySide(batch: Batch<Inputs>, rounded?: (x: Tensor) => Tensor): E;
  /**
   * Scores [M, E]; where `pairMask` (u32 [M, E]) is 0 any finite number may stand for a score. Differentiable where the
   * tape records.
   */
  scores(mentions: M, entities: E, pairMask?: Tensor | null): Tensor;
  /** Whether a pair mask saves `scores` more work than it takes to make one. */
  readonly usesPairMask: boolean;
  /** Whether scoring mentions costs the same whatever the lengths of their texts are. Default: it does not. */
  readonly ignoresLengths?: boolean;
  /** How many numbers the largest array that `scores` makes for these mentions has for each pair. */
  pairSize(mentions: M): number;
  /** How an entity's side is stored: its parts by name. */
  readonly layout: SideLayout;
  /** The parts of entities' sides, each [rows, columns]. */
  pack(entities: E): PackedSide;
  /** The sides that parts are of, of some as `planes`. */
  unpack(packed: PackedSide): E;
  /** The name of the layout's part that holds the `retrievalVectors` of entities; null where there is none. */
  readonly retrievalPart: string | null;
  /** What dense retrieval compares, [rows, columns of that part]: the largest dot products propose candidates. */
  retrievalVectors(side: Side, batch: Batch<Inputs>): Tensor;
}

/** A Scorer whatever its sides are. */
// biome-ignore lint/suspicious/noExplicitAny: who holds scorers of several kinds hands a scorer's sides back to it only.
export type AnyScorer = Scorer<any, any, any>;

/** One part of an entity's side. */
export interface SidePart {
  columns: number;
  /**
   * How many vectors of equal width a row has side by side, where `unpack` wants those of all rows one vector after the
   * other: [planes, rows, columns / planes]. How it is stored does not depend on it. Default: [rows, columns].
   */
  planes?: number;
  /** One row an entity, or as many as it has tokens; where each entity's rows begin is stored beside them. */
  rows: 'entity' | 'token';
  /** The lowest precision that the part bears: numbers beside large ones lose too much in half. */
  precision: 'float32' | 'float16' | 'int8';
}

export type SideLayout = Readonly<Record<string, SidePart>>;

/** Parts of sides on the device, and of parts with a row a token where each entity's rows begin. */
export interface PackedSide {
  parts: Readonly<Record<string, Tensor>>;
  /** By part, [entities + 1]. */
  offsets: Readonly<Record<string, Int32Array<ArrayBuffer>>>;
}
