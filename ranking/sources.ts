// Where a scoring pass has its mentions and entities from: abstractly, and from samples that were prepared in memory. An
// index on disk is another source of entities (index/source.ts).

import type { FeatureOptions } from '../encoding/features.ts';
import { firstImages, pickSamples, type Samples } from '../encoding/samples.ts';
import { noGrad } from '../engine/autograd.ts';
import { matmul } from '../engine/ops/matmul.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type GateLogits, joinLogits } from './gate-logits.ts';
import { type AnyGate, distinctParts, gateOf } from './mixture.ts';
import type { AnyScorer, Batch, Side } from './scorer.ts';

export interface MentionSource {
  count: number;
  /** Tokens of each: mentions of like length are scored together. */
  lengths: ArrayLike<number>;
  /** 1 for those that have no image. */
  hasNoImage: ArrayLike<number>;
  /** A scorer's sides of some mentions, made in the caller's scope. */
  side(scorer: AnyScorer, rows: readonly number[]): unknown;
  /** u of some mentions. */
  logits(gate: AnyGate, rows: readonly number[]): Promise<GateLogits>;
  /** What dense retrieval by a scorer compares, [rows, columns], made in the caller's scope. */
  retrievalVectors(scorer: AnyScorer, rows: readonly number[]): Tensor;
}

export interface EntitySource {
  count: number;
  /** Reads what some scorers need of some entities; what comes back makes their sides in the caller's scope. */
  load(scorers: readonly AnyScorer[], rows: readonly number[]): Promise<() => unknown[]>;
  /** v of some entities. */
  logits(gate: AnyGate, rows: readonly number[]): Promise<GateLogits>;
  /** 1 for those of some entities that have no image. */
  hasNoImage(rows: readonly number[]): Promise<Uint8Array>;
  /**
   * Reads what dense retrieval by a scorer compares of `count` entities from number `first` on. What comes back gives the
   * dot products of queries (`retrievalVectors` of M mentions) with it in the caller's scope: [M, count].
   */
  loadSimilarities(scorer: AnyScorer, first: number, count: number): Promise<(queries: Tensor) => Tensor>;
  /** Entities whose similarities are best asked for together, at most. */
  readonly similaritiesAtOnce: number;
}

/** Samples as systems keep them: what each part and each gate prepared. */
export interface Prepared {
  lengths: ArrayLike<number>;
  /** The image that each sample is taken with. */
  images: readonly number[];
  hasNoImage: Uint8Array;
  inputs: ReadonlyMap<AnyScorer | AnyGate, unknown>;
}

/** Prepares samples, each with its first image, once for all parts and gates of some systems. */
export async function prepareSamples(
  systems: readonly AnyScorer[],
  side: Side,
  samples: Samples,
  features: FeatureOptions,
): Promise<Prepared> {
  const { each, distinct } = firstImages(samples);
  const gates = systems.flatMap((system) => gateOf(system) ?? []);
  const inputs = new Map<AnyScorer | AnyGate, unknown>();
  for (const one of new Set([...distinctParts(systems), ...gates])) {
    inputs.set(one, await one.prepare(side, samples, distinct, features));
  }
  return {
    lengths: samples.tokens.lengths,
    images: each,
    hasNoImage: Uint8Array.from(samples.images, (own) => (own.length === 0 ? 1 : 0)),
    inputs,
  };
}

/** Mentions that were prepared. */
export function preparedMentions(prepared: Prepared): MentionSource {
  return {
    count: prepared.images.length,
    lengths: prepared.lengths,
    hasNoImage: prepared.hasNoImage,
    side: (scorer, rows) => scorer.mentionSide(batchOf(prepared, scorer, rows)),
    logits: (gate, rows) => readLogits(gate, 'mention', prepared, rows),
    retrievalVectors: (scorer, rows) => scorer.retrievalVectors('mention', batchOf(prepared, scorer, rows)),
  };
}

/** Some of a source's mentions: number i of these is rows[i] of those. */
export function someMentions(all: MentionSource, rows: readonly number[]): MentionSource {
  const those = (numbers: readonly number[]) => numbers.map((number) => rows[number]!);
  return {
    count: rows.length,
    lengths: rows.map((row) => all.lengths[row]!),
    hasNoImage: rows.map((row) => all.hasNoImage[row]!),
    side: (scorer, numbers) => all.side(scorer, those(numbers)),
    logits: (gate, numbers) => all.logits(gate, those(numbers)),
    retrievalVectors: (scorer, numbers) => all.retrievalVectors(scorer, those(numbers)),
  };
}

/** Entities that were prepared; their sides are made again whenever they are asked for. */
export function preparedEntities(prepared: Prepared): EntitySource {
  return {
    count: prepared.images.length,
    load: async (scorers, rows) => () =>
      scorers.map((scorer) => scorer.entitySide(batchOf(prepared, scorer, rows))),
    logits: (gate, rows) => readLogits(gate, 'entity', prepared, rows),
    hasNoImage: async (rows) => Uint8Array.from(rows, (row) => prepared.hasNoImage[row]!),
    loadSimilarities: async (scorer, first, count) => (queries) =>
      similarities(
        queries,
        scorer.retrievalVectors('entity', batchOf(prepared, scorer, range(first, count))),
      ),
    similaritiesAtOnce: vectorsAtOnce,
  };
}

/** Entities that are prepared whenever they are asked for, for features that memory would not hold. */
export function streamedEntities(samples: Samples, features: FeatureOptions): EntitySource {
  const prepare = (scorers: readonly AnyScorer[], rows: readonly number[]) =>
    prepareSamples(scorers, 'entity', pickSamples(samples, rows), features);
  return {
    count: samples.images.length,
    async load(scorers, rows) {
      const prepared = await prepare(scorers, rows);
      return () => scorers.map((scorer) => scorer.entitySide(batchOf(prepared, scorer, [...rows.keys()])));
    },
    async logits(gate, rows) {
      const found: GateLogits[] = [];
      for (let first = 0; first < rows.length; first += logitsChunk) {
        const sample = pickSamples(samples, rows.slice(first, first + logitsChunk));
        const { each, distinct } = firstImages(sample);
        const inputs = new Map([[gate, await gate.prepare('entity', sample, distinct, features)]]);
        found.push(await readLogits(gate, 'entity', { inputs, images: each }, [...each.keys()]));
        if (found[0]!.isShared) break;
      }
      return joinLogits(found);
    },
    hasNoImage: async (rows) => Uint8Array.from(rows, (row) => (samples.images[row]!.length === 0 ? 1 : 0)),
    async loadSimilarities(scorer, first, count) {
      const prepared = await prepare([scorer], range(first, count));
      return (queries) =>
        similarities(queries, scorer.retrievalVectors('entity', batchOf(prepared, scorer, range(0, count))));
    },
    similaritiesAtOnce: vectorsAtOnce,
  };
}

function similarities(queries: Tensor, vectors: Tensor): Tensor {
  return matmul(queries, vectors, { transposeB: true });
}

/** The numbers from `first` on. */
export function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Entities whose vectors are put on the device together. */
export const vectorsAtOnce = 4096;

/** Rows whose logits are made together. */
const logitsChunk = 512;

/** A gate's logits of some rows, on the host. */
export async function readLogits(
  gate: AnyGate,
  side: Side,
  prepared: Pick<Prepared, 'inputs' | 'images'>,
  rows: readonly number[],
): Promise<GateLogits> {
  const isShared = side === 'entity' && !gate.seesEntities;
  const found: GateLogits[] = [];
  for (let first = 0; first < (isShared ? 1 : rows.length); first += logitsChunk) {
    const batch = batchOf(prepared, gate, isShared ? [] : rows.slice(first, first + logitsChunk));
    const { parts, read } = gate.device.scope(() => {
      const logits = noGrad(() => gate.logits(side, batch));
      return { parts: logits.shape[1]!, read: gate.device.read<'f32'>(logits) };
    });
    found.push({ parts, values: await read, isShared });
  }
  return joinLogits(found);
}

function batchOf<Of extends AnyScorer | AnyGate>(
  { inputs, images }: Pick<Prepared, 'inputs' | 'images'>,
  of: Of,
  rows: readonly number[],
): Batch<unknown> {
  return { inputs: inputs.get(of), rows, images: rows.map((row) => images[row]!) };
}
