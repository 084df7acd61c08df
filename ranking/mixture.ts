// Scorers made of others: a weighted sum of their scores (the plain mean), for each pair the score of the one that a gate
// picks (DSMIP), or a mixture of the probabilities that their scores stand for. A mixture is a Scorer like any other. Ranking and index also look inside: parts that several
// systems share are computed once, and parts that a gate picks for no pair of a block are neither read nor computed.

import type { FeatureOptions } from '../encoding/features.ts';
import type { Samples } from '../encoding/samples.ts';
import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import type { Tensor } from '../engine/tensor.ts';
import { MixtureState, type Shares } from './mixed-probabilities.ts';
import type { AnyScorer, Batch, PackedSide, Scorer, Side, SideLayout } from './scorer.ts';
import { chosenScores, type PairLogits, weightedScores } from './systems.ts';

/** What picks one part a pair: the one with the largest pi[m, e] = relu(u[m] + v[e]), the first of equals. */
export interface Gate<Inputs> {
  readonly device: Device;
  /** What it picks a part for, in a word. */
  readonly by: string;
  /** Whether it looks at entities; if not, all of them have the same logits. */
  readonly seesEntities: boolean;
  /** As a Scorer's `prepare`. */
  prepare(side: Side, samples: Samples, images: readonly number[], features: FeatureOptions): Promise<Inputs>;
  /** u or v of a batch, in the current scope: [rows, parts]; of entities that it does not look at [1, parts] of any batch. */
  logits(side: Side, batch: Batch<Inputs>): Tensor;
  /** By what each part's scores are multiplied, and below what is added to them then, in the current scope: [2, parts]. */
  calibration(): Tensor;
}

// biome-ignore lint/suspicious/noExplicitAny: as for AnyScorer, a gate's inputs are handed back to it only.
export type AnyGate = Gate<any>;

/** How the scores of parts become one: weights by part (0: it is not needed), a gate, or shares of their probabilities. */
export type Combination = { weights: readonly number[] } | { gate: AnyGate } | { shares: Shares };

interface MixtureInputs {
  parts: readonly unknown[];
  gate: unknown;
}

interface MixtureSide {
  parts: readonly unknown[];
  /** u or v, where a gate picks. */
  logits: Tensor | null;
  /** 1 for samples with an image, where mentions have shares. */
  hasImage: Float32Array<ArrayBuffer> | null;
}

/** A batch for a gate that does not look at it. */
const nobody: Batch<unknown> = { inputs: null, rows: [], images: [] };

/** The name of an index's part that holds the gate's logits of entities. */
export const logitsPart = 'gate';

/** What the parts of a mixture's part are called in its layout. */
export function partPrefix(part: AnyScorer): string {
  return `${part.name}.`;
}

export class Mixture implements Scorer<MixtureInputs, MixtureSide, MixtureSide> {
  readonly name: string;
  readonly device: Device;
  readonly parts: readonly AnyScorer[];
  readonly combination: Combination;
  readonly usesPairMask: boolean;

  /** Throws EngineError for no parts, parts of the same name, or as many weights as there are no parts. */
  constructor(name: string, parts: readonly AnyScorer[], combination: Combination) {
    const names = new Set(parts.map((part) => part.name));
    if (parts.length === 0 || names.size < parts.length) {
      throw new EngineError(`${name}: expected parts of different names, got ${parts.map((p) => p.name)}`);
    }
    if ('weights' in combination && combination.weights.length !== parts.length) {
      throw new EngineError(`${name}: ${combination.weights.length} weights for ${parts.length} parts`);
    }
    this.name = name;
    this.device = parts[0]!.device;
    this.parts = parts;
    this.combination = combination;
    this.usesPairMask = parts.some((part) => part.usesPairMask);
  }

  get gate(): AnyGate | null {
    return 'gate' in this.combination ? this.combination.gate : null;
  }

  get shares(): Shares | null {
    return 'shares' in this.combination ? this.combination.shares : null;
  }

  async prepare(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<MixtureInputs> {
    const parts: unknown[] = [];
    for (const part of this.parts) parts.push(await part.prepare(side, samples, images, features));
    return { parts, gate: await this.gate?.prepare(side, samples, images, features) };
  }

  preparedBytes(samples: Samples): number {
    return this.parts.reduce((sum, part) => sum + part.preparedBytes(samples), 0);
  }

  mentionSide(batch: Batch<MixtureInputs>): MixtureSide {
    return {
      parts: this.parts.map((part, i) => part.mentionSide(partOf(batch, i))),
      logits: this.#logits('mention', batch),
      // Number 0 stands in for an image that a sample lacks.
      hasImage: this.shares && Float32Array.from(batch.images, (image) => (image === 0 ? 0 : 1)),
    };
  }

  entitySide(batch: Batch<MixtureInputs>, rounded?: (x: Tensor) => Tensor): MixtureSide {
    return {
      parts: this.parts.map((part, i) => part.entitySide(partOf(batch, i), rounded)),
      logits: this.#logits('entity', batch),
      hasImage: null,
    };
  }

  /** Where probabilities are mixed, they are those among these entities. */
  scores(mentions: MixtureSide, entities: MixtureSide, mask: Tensor | null = null): Tensor {
    const { gate, shares } = this;
    const scores = this.parts.map((part, i) => part.scores(mentions.parts[i], entities.parts[i], mask));
    const logits =
      mentions.logits && entities.logits
        ? { u: mentions.logits, v: entities.logits, isShared: !gate?.seesEntities }
        : null;
    if (shares) return mixedAmong(shares, scores, mentions.hasImage!);
    return combine(this.combination, scores, logits, gate?.calibration() ?? null);
  }

  pairSize(mentions: MixtureSide): number {
    return Math.max(...this.parts.map((part, i) => part.pairSize(mentions.parts[i])));
  }

  get layout(): SideLayout {
    const layout: Record<string, SideLayout[string]> = {};
    for (const part of this.parts) Object.assign(layout, prefixed(part, part.layout));
    const columns = this.parts.length;
    if (this.gate?.seesEntities) layout[logitsPart] = { columns, rows: 'entity', precision: 'float32' };
    return layout;
  }

  pack(entities: MixtureSide): PackedSide {
    const packed = {
      parts: {} as Record<string, Tensor>,
      offsets: {} as Record<string, Int32Array<ArrayBuffer>>,
    };
    for (const [i, part] of this.parts.entries()) {
      const { parts, offsets } = part.pack(entities.parts[i]);
      Object.assign(packed.parts, prefixed(part, parts));
      Object.assign(packed.offsets, prefixed(part, offsets));
    }
    if (this.gate?.seesEntities && entities.logits) packed.parts[logitsPart] = entities.logits;
    return packed;
  }

  unpack({ parts, offsets }: PackedSide): MixtureSide {
    return {
      parts: this.parts.map((part) => part.unpack({ parts: own(part, parts), offsets: own(part, offsets) })),
      logits: parts[logitsPart] ?? this.gate?.logits('entity', nobody) ?? null,
      hasImage: null,
    };
  }

  get retrievalPart(): string | null {
    const by = retrievalScorer([this]);
    return by && partPrefix(by) + by.retrievalPart;
  }

  retrievalVectors(side: Side, batch: Batch<MixtureInputs>): Tensor {
    const by = retrievalScorer([this]);
    if (!by) throw new EngineError(`${this.name}: none of its parts has vectors to retrieve by`);
    return by.retrievalVectors(side, partOf(batch, this.parts.indexOf(by)));
  }

  #logits(side: Side, batch: Batch<MixtureInputs>): Tensor | null {
    return this.gate?.logits(side, { ...batch, inputs: batch.inputs.gate }) ?? null;
  }
}

/** The plain mean of some scorers. */
export function meanOf(name: string, parts: readonly AnyScorer[]): Mixture {
  return new Mixture(name, parts, { weights: parts.map(() => 1 / parts.length) });
}

/** The scorers that a system is made of: its parts, or itself alone. */
export function partsOf(system: AnyScorer): readonly AnyScorer[] {
  return system instanceof Mixture ? system.parts : [system];
}

/** How a system's scores come from its parts'. */
export function combinationOf(system: AnyScorer): Combination {
  return system instanceof Mixture ? system.combination : { weights: [1] };
}

/** The gate of a system; null where none picks. */
export function gateOf(system: AnyScorer): AnyGate | null {
  return system instanceof Mixture ? system.gate : null;
}

/** The shares of a system that mixes probabilities; null for others. */
export function sharesOf(system: AnyScorer): Shares | null {
  return system instanceof Mixture ? system.shares : null;
}

/** All distinct parts of some systems, in the order in which they come up. */
export function distinctParts(systems: readonly AnyScorer[]): AnyScorer[] {
  return [...new Set(systems.flatMap(partsOf))];
}

/** Whose vectors propose candidates: the last of the systems' parts that has such; null where none has. */
export function retrievalScorer(systems: readonly AnyScorer[]): AnyScorer | null {
  return distinctParts(systems).findLast((part) => part.retrievalPart !== null) ?? null;
}

/**
 * A system's scores [M, E] from its parts' (null for those that no pair needs); `logits` and `calibration` where a gate
 * picks, `state` of mentions whose probabilities are mixed.
 */
export function combine(
  combination: Combination,
  scores: readonly (Tensor | null)[],
  logits: PairLogits | null,
  calibration: Tensor | null,
  state: MixtureState | null = null,
): Tensor {
  if ('weights' in combination) return weightedScores(combination.weights, scores);
  if ('shares' in combination) {
    if (!state) throw new EngineError('mixture: its mentions have no shares');
    return state.scores(scores as readonly Tensor[]);
  }
  if (!logits || !calibration) throw new EngineError('mixture: its gate has no logits');
  return chosenScores(calibration, scores, logits);
}

/** A mixture's scores of mentions among these entities alone. */
function mixedAmong(shares: Shares, scores: readonly Tensor[], hasImage: Float32Array<ArrayBuffer>): Tensor {
  const E = scores[0]!.shape[1]!;
  const numbers = shares.device.tensor(
    [E],
    Int32Array.from({ length: E }, (_, i) => i),
  );
  const state = new MixtureState(shares, hasImage);
  state.add(scores, numbers);
  state.close();
  return state.scores(scores);
}

function partOf({ inputs, ...batch }: Batch<MixtureInputs>, part: number): Batch<unknown> {
  return { ...batch, inputs: inputs.parts[part] };
}

function prefixed<T>(part: AnyScorer, fields: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [partPrefix(part) + name, value]));
}

/** The fields of one part, by the part's own names. */
function own<T>(part: AnyScorer, fields: Readonly<Record<string, T>>): Record<string, T> {
  const prefix = partPrefix(part);
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}
