// A tile: mentions that are scored together, with their scoring vectors and the state of their rankings on the device.

import { tensorsIn } from '../engine/device/tensors-in.ts';
import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type EntityOperands, type MentionVectors, pairScores } from '../model/dsmip/expert-vectors.ts';
import type { ExpertKind } from '../model/dsmip/experts.ts';
import { choiceOf, type GateShares, shareOf, sharesOf } from './gate-shares.ts';
import { type Ranking, RankState, rankAt } from './rank-state.ts';
import type { EntitySource, MentionSource } from './sources.ts';
import { isGated, type System, systemScores, tallyChoices, wantedPairs } from './systems.ts';

/** What is scored with what. */
export interface Scoring {
  device: Device;
  /** The experts, by number. */
  kinds: readonly ExpertKind[];
  mentions: MentionSource;
  entities: EntitySource;
  systems: readonly System[];
  /** Each mention's answer, where it is known: then it is ranked. */
  golds?: Int32Array;
  /** How many of the best entities to keep of each mention. */
  top?: number;
}

export interface Tile {
  mentions: readonly number[];
  vectors: readonly (MentionVectors | null)[];
  /** By expert, whether the gate picks it for any pair of these mentions; all without a gate. */
  picked: readonly boolean[];
  /** The gate's shares, where one chooses. */
  shares: GateShares | null;
  u: Tensor | null;
  /** By system. */
  states: readonly RankState[];
  /** How often the gate picked each expert, u32 [mentions, 2, experts]. */
  counts: Tensor | null;
}

/** Entities on the device. */
export interface Block {
  rows: readonly number[];
  /** `rows`, i32. */
  numbers: Tensor;
  vectors: readonly (EntityOperands | null)[];
  v: Tensor | null;
  /** u32 [rows], 1 for entities without an image. */
  imageless: Tensor;
}

/** An entity among a mention's best. */
export interface Found {
  entity: number;
  score: number;
  /** The expert that the gate picks for the pair; null for systems without a gate. */
  expert: number | null;
}

/** Makes the vectors of mentions, for the experts that their pairs need. Close it when done. */
export function openTile(scoring: Scoring, mentions: readonly number[], picked: readonly boolean[]): Tile {
  const { device, kinds, systems, golds, top = 0 } = scoring;
  const { gate, vectors } = scoring.mentions;
  const shares = gate ? sharesOf(gate, mentions) : null;
  const needs = neededExperts(scoring, picked);
  return {
    mentions,
    vectors: needs.map((need, i) => (need ? device.scope(() => vectors(mentions, i)) : null)),
    u: shares ? device.tensor([mentions.length, kinds.length], shares.values) : null,
    picked,
    shares,
    states: systems.map(() => {
      const answers = Int32Array.from(mentions, (mention) => golds?.[mention] ?? -1);
      return new RankState(device, answers, top);
    }),
    counts: shares ? device.zeros([mentions.length, 2, kinds.length], 'u32') : null,
  };
}

export function closeTile({ vectors, u, states, counts }: Tile): void {
  for (const tensor of tensorsIn([vectors, u, counts])) tensor.release();
  for (const state of states) state.release();
}

/** By expert, whether any system needs its scores of pairs for which the gate picks some of these. */
export function neededExperts({ kinds, systems }: Scoring, picked: readonly boolean[]): boolean[] {
  return kinds.map((_, i) =>
    systems.some((system) => (isGated(system) ? picked[i] : system.weights[i] !== 0)),
  );
}

/** Scores [mentions, rows] by each system; `needs`: the experts to ask. Call it in a scope. */
export function tileScores(
  { kinds, systems, entities }: Scoring,
  tile: Tile,
  block: Block,
  needs: readonly boolean[],
): Tensor[] {
  const shares = sharesOfPairs(tile, block, entities);
  // Where the gate alone decides, an expert's costly scores, those of texts, are computed for its pairs only.
  const isChosen = shares && systems.every(isGated) && needs.filter((need) => need).length > 1;
  const scores = kinds.map((kind, i) => {
    if (!needs[i]) return null;
    const wanted = isChosen && kind !== 'visual' ? wantedPairs(shares, block.rows.length, i) : null;
    return pairScores(kind, tile.vectors[i]!, block.vectors[i]!, wanted);
  });
  return systems.map((system) => systemScores(system, scores, shares));
}

/** Takes a block's scores by each system into account. Call it in a scope. */
export function addScores({ entities }: Scoring, tile: Tile, block: Block, scores: readonly Tensor[]): void {
  for (const [i, state] of tile.states.entries()) state.add(scores[i]!, block.numbers);
  const shares = sharesOfPairs(tile, block, entities);
  if (shares && tile.counts) tallyChoices(shares, block.imageless, tile.counts);
}

/**
 * A system's ranks and best entities of a tile's mentions, from what has been read. Throws EngineError for a score that
 * is not finite.
 */
export function findings(
  scoring: Scoring,
  system: System,
  { mentions }: Tile,
  ranking: Ranking,
): { ranks: number[]; top: Found[][] } {
  const { top: k = 0 } = scoring;
  const expertOf = (mention: number, entity: number) =>
    isGated(system) ? pick(scoring, mention, entity) : null;
  const top = mentions.map((mention, i) => {
    if (ranking.state[4 * i + 2]! > 0) {
      const entity = ranking.state[4 * i + 3]! - 1;
      throw new EngineError(brokenScore(scoring, system.name, mention, entity, expertOf(mention, entity)));
    }
    return Array.from({ length: k }, (_, j) => i * k + j)
      .filter((at) => ranking.numbers[at]! >= 0)
      .map((at) => {
        const entity = ranking.numbers[at]!;
        return { entity, score: ranking.values[at]!, expert: expertOf(mention, entity) };
      });
  });
  return { ranks: mentions.map((_, i) => rankAt(ranking, i)), top };
}

/** The expert that the gate picks for a pair. */
export function pick({ mentions, entities }: Scoring, mention: number, entity: number): number {
  return choiceOf(shareOf(mentions.gate!, mention), shareOf(entities.gate!, entity));
}

function brokenScore(
  { kinds }: Scoring,
  system: string,
  mention: number,
  entity: number,
  expert: number | null,
): string {
  const by = expert === null ? '' : `, by the ${kinds[expert]} expert,`;
  return `mention ${mention}: its score with entity ${entity}${by} is not finite (${system})`;
}

function sharesOfPairs({ u }: Tile, { v }: Block, { gate }: EntitySource) {
  return u && v && gate ? { u, v, isShared: gate.isShared } : null;
}
