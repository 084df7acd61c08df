// A tile: mentions that are scored together, with their sides and the state of their rankings on the device.

import { noGrad } from '../engine/autograd.ts';
import { tensorsIn } from '../engine/device/tensors-in.ts';
import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import type { Tensor } from '../engine/tensor.ts';
import { choiceOf, type GateLogits, logitsOf } from './gate-logits.ts';
import { MixtureState } from './mixed-probabilities.ts';
import { type AnyGate, combinationOf, combine, partsOf, sharesOf } from './mixture.ts';
import {
  blockPairs,
  keepPairs,
  type PairAdditions,
  type PairLists,
  takeScores,
  withAdditions,
} from './pair-lists.ts';
import { lowest, type Ranking, RankState, rankAt } from './rank-state.ts';
import type { AnyScorer } from './scorer.ts';
import type { EntitySource, MentionSource } from './sources.ts';
import { countChoices, type PairLogits, pairMask } from './systems.ts';

/** What is scored with what. */
export interface Scoring {
  device: Device;
  systems: readonly AnyScorer[];
  /** All distinct parts of the systems. */
  parts: readonly AnyScorer[];
  /** What picks a part for each pair, where a system has a gate. */
  choice: Choice | null;
  mentions: MentionSource;
  entities: EntitySource;
  /** Each mention's gold entity, where it is known: then it is ranked. */
  gold: Int32Array | null;
  /** How many of the best entities to keep of each mention. */
  top: number;
  /** What mentions are ranked by. */
  rankings: readonly SystemRanking[];
  /** Pairs whose scores are read, and by system the room for these on the device: [pairs]. */
  wanted: { pairs: PairLists; taken: readonly Tensor[] } | null;
}

/** A ranking by a system's scores, of which some pairs' have something added. */
export interface SystemRanking {
  name: string;
  system: AnyScorer;
  /** Null: the scores as they are. */
  additions: PairAdditions | null;
}

/** The ranking by a system's scores as they are, under its name. */
export function plainRanking(system: AnyScorer): SystemRanking {
  return { name: system.name, system, additions: null };
}

/** A gate at work. */
export interface Choice {
  gate: AnyGate;
  /** The parts that it picks from, as numbers into all parts. */
  parts: readonly number[];
  /** [2, its parts] on the device, see Gate. */
  calibration: Tensor;
  /** u of all mentions. */
  u: GateLogits;
  /** v of all entities, or of those that are scored. */
  v: GateLogits;
  /** Where an entity's logits are in `v`. */
  rowOf: (entity: number) => number;
  /** Whether to count how often each part is picked. */
  isCounted: boolean;
}

export interface Tile {
  mentions: readonly number[];
  /** By part, null for those that these mentions do not need. */
  sides: readonly unknown[];
  /** By part of the gate, whether it is picked for any pair of these mentions; empty without a gate. */
  picked: readonly boolean[];
  /** The gate's logits, where one picks. */
  logits: GateLogits | null;
  u: Tensor | null;
  /** By ranking. */
  states: readonly RankState[];
  /** By system: what those that mix probabilities know of these mentions; null for others. */
  mixtures: readonly (MixtureState | null)[];
  /** How often the gate picked each part, u32 [mentions, 2, parts]; null where nobody counts. */
  counts: Tensor | null;
}

/** Entities on the device. */
export interface Block {
  rows: readonly number[];
  /** `rows`, i32. */
  numbers: Tensor;
  /** By part, null for those that are not needed. */
  sides: readonly unknown[];
  v: Tensor | null;
  /** u32 [rows], 1 for entities without an image; null where nobody counts. */
  hasNoImage: Tensor | null;
  /** u32 [the tile's mentions, rows], 1 on the pairs that are to be ranked; null for all of them. */
  listed: Tensor | null;
}

/** An entity among a mention's best. */
export interface Found {
  entity: number;
  score: number;
  /** The part that the gate picks for the pair; null for systems without a gate. */
  part: string | null;
}

/** Makes the sides of mentions, for the parts that their pairs need. Close it when done. */
export function openTile(
  scoring: Scoring,
  mentions: readonly number[],
  picked: readonly boolean[],
  logits: GateLogits | null,
): Tile {
  const { device, parts, systems, gold, top, choice } = scoring;
  const needs = neededParts(scoring, picked);
  const count = mentions.length;
  return {
    mentions,
    sides: needs.map((need, i) =>
      need ? device.scope(() => noGrad(() => scoring.mentions.side(parts[i]!, mentions))) : null,
    ),
    u: logits ? device.tensor([count, logits.parts], logits.values) : null,
    picked,
    logits,
    states: scoring.rankings.map(() => {
      const own = Int32Array.from(mentions, (mention) => gold?.[mention] ?? -1);
      return new RankState(device, own, top);
    }),
    mixtures: systems.map((system) => {
      const shares = sharesOf(system);
      const { hasNoImage } = scoring.mentions;
      return (
        shares &&
        new MixtureState(
          shares,
          Float32Array.from(mentions, (mention) => 1 - hasNoImage[mention]!),
        )
      );
    }),
    counts: logits && choice?.isCounted ? device.zeros([count, 2, logits.parts], 'u32') : null,
  };
}

export function closeTile({ sides, u, states, mixtures, counts }: Tile): void {
  for (const tensor of tensorsIn([sides, u, counts])) tensor.release();
  for (const state of [...states, ...mixtures]) state?.release();
}

/** By part, whether any system needs its scores of pairs for which the gate picks some of `picked`. */
export function neededParts({ parts, systems }: Scoring, picked: readonly boolean[]): boolean[] {
  const needs = parts.map(() => false);
  for (const system of systems) {
    const combination = combinationOf(system);
    partsOf(system).forEach((part, i) => {
      const need =
        'shares' in combination || ('weights' in combination ? combination.weights[i] !== 0 : picked[i]!);
      if (need) needs[parts.indexOf(part)] = true;
    });
  }
  return needs;
}

/** Scores [mentions, rows] of a tile and a block. */
export interface TileScores {
  bySystem: readonly Tensor[];
  byRanking: readonly Tensor[];
}

/** Scores by each system and for each ranking; `needs`: the parts to compute. Call it in a scope. */
export function tileScores(
  { systems, parts, choice, rankings }: Scoring,
  tile: Tile,
  block: Block,
  needs: readonly boolean[],
): TileScores {
  const logits = pairLogits(choice, tile, block);
  // Where the gate alone decides, costly scores are computed for a part's own pairs only.
  const isMasked =
    logits !== null &&
    systems.every((system) => 'gate' in combinationOf(system)) &&
    needs.filter((need) => need).length > 1;
  const { listed } = block;
  const scores = parts.map((part, i) => {
    if (!needs[i]) return null;
    const picked = () => pairMask(logits!, block.rows.length, choice!.parts.indexOf(i), listed);
    const mask = part.usesPairMask ? (isMasked ? picked() : listed) : null;
    return part.scores(tile.sides[i], block.sides[i], mask);
  });
  const bySystem = systems.map((system, i) =>
    combine(
      combinationOf(system),
      partsOf(system).map((part) => scores[parts.indexOf(part)]!),
      logits,
      choice?.calibration ?? null,
      tile.mixtures[i]!,
    ),
  );
  const byRanking = rankings.map(({ system, additions }) => {
    const own = bySystem[systems.indexOf(system)]!;
    const all = additions
      ? withAdditions(own, additions, blockPairs(additions, tile.mentions, block.rows))
      : own;
    return listed ? keepPairs(all, listed, lowest) : all;
  });
  return { bySystem, byRanking };
}

/** Lets the systems that mix probabilities see a block's scores, before `tileScores` is called. Call it in a scope. */
export function addToMixtures({ systems, parts }: Scoring, tile: Tile, block: Block): void {
  const scores = new Map<AnyScorer, Tensor>();
  for (const [i, system] of systems.entries()) {
    const mixture = tile.mixtures[i];
    if (!mixture) continue;
    for (const part of partsOf(system)) {
      const at = parts.indexOf(part);
      if (!scores.has(part)) scores.set(part, part.scores(tile.sides[at], block.sides[at]));
    }
    mixture.add(
      partsOf(system).map((part) => scores.get(part)!),
      block.numbers,
    );
  }
}

/** Takes a block's scores into account. Call it in a scope. */
export function addScores(
  { choice, wanted }: Scoring,
  tile: Tile,
  block: Block,
  { bySystem, byRanking }: TileScores,
): void {
  for (const [i, state] of tile.states.entries()) state.add(byRanking[i]!, block.numbers);
  if (wanted) {
    const { places, numbers } = blockPairs(wanted.pairs, tile.mentions, block.rows);
    for (const [i, taken] of wanted.taken.entries()) takeScores(bySystem[i]!, places, numbers, taken);
  }
  const logits = pairLogits(choice, tile, block);
  if (logits && tile.counts && block.hasNoImage) countChoices(logits, block.hasNoImage, tile.counts);
}

/**
 * A system's ranks and best entities of a tile's mentions, from what has been read. Throws EngineError for a score that
 * is not finite.
 */
export function findings(
  scoring: Scoring,
  system: AnyScorer,
  { mentions }: Tile,
  ranking: Ranking,
): { ranks: number[]; top: Found[][] } {
  const { top: k } = scoring;
  const isGated = 'gate' in combinationOf(system);
  const partFor = (mention: number, entity: number) =>
    isGated ? pickedPart(scoring, mention, entity) : null;
  const top = mentions.map((mention, i) => {
    if (ranking.state[4 * i + 2]! > 0) {
      const entity = ranking.state[4 * i + 3]! - 1;
      throw new EngineError(brokenScore(system.name, mention, entity, partFor(mention, entity)));
    }
    return Array.from({ length: k }, (_, j) => i * k + j)
      .filter((at) => ranking.numbers[at]! >= 0 && ranking.values[at]! > lowest)
      .map((at) => {
        const entity = ranking.numbers[at]!;
        return { entity, score: ranking.values[at]!, part: partFor(mention, entity) };
      });
  });
  return { ranks: mentions.map((_, i) => rankAt(ranking, i)), top };
}

/** The name of the part that the gate picks for a pair; null without a gate. */
export function pickedPart({ choice, parts }: Scoring, mention: number, entity: number): string | null {
  if (!choice) return null;
  const { u, v, rowOf } = choice;
  const picked = choiceOf(logitsOf(u, mention), logitsOf(v, rowOf(entity)));
  return parts[choice.parts[picked]!]!.name;
}

function brokenScore(system: string, mention: number, entity: number, part: string | null): string {
  const by = part === null ? '' : `, by ${part},`;
  return `mention ${mention}: its score with entity ${entity}${by} is not finite (${system})`;
}

function pairLogits(choice: Choice | null, { u }: Tile, { v }: Block): PairLogits | null {
  return u && v && choice ? { u, v, isShared: choice.v.isShared } : null;
}
