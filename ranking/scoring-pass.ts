// Ranks many mentions against all entities, or each against candidates of its own, by several systems at once: one stream
// through the entities, and of each mention only what rank-state.ts keeps. No array of mentions x entities is made
// anywhere. Parts that systems share are computed once; parts that a gate picks for no pair of a tile and a block are not.
// Where a system mixes probabilities, the entities are gone through twice: see mixed-probabilities.ts.

import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import type { Tensor } from '../engine/tensor.ts';
import { logitsOf, pickedParts, pickLogits } from './gate-logits.ts';
import { distinctParts, gateOf, partsOf, sharesOf } from './mixture.ts';
import { listMask, listOf, type PairLists } from './pair-lists.ts';
import type { AnyScorer } from './scorer.ts';
import { type EntitySource, type MentionSource, range } from './sources.ts';
import {
  addScores,
  addToMixtures,
  type Block,
  type Choice,
  closeTile,
  type Found,
  findings,
  neededParts,
  openTile,
  pickedPart,
  plainRanking,
  type Scoring,
  type SystemRanking,
  type Tile,
  type TileScores,
  tileScores,
} from './tile.ts';

export interface ScoringPass {
  /** By whom to rank; at most one gate among them. */
  systems: readonly AnyScorer[];
  mentions: MentionSource;
  entities: EntitySource;
  /** Each mention's gold entity, where it is known: then it is ranked. */
  gold?: Int32Array;
  /** How many of the best entities to keep of each mention. Default 0. */
  top?: number;
  /** Score only these. */
  candidates?: PairLists;
  /** What to rank by, each under a name of its own. Default: the systems as they are. */
  rankings?: readonly SystemRanking[];
  /** Pairs whose scores by the systems are wanted; those of pairs that are not scored are 0. */
  wanted?: PairLists;
  /** Whether to count what the gate picks. Default false. */
  countsChoices?: boolean;
  /** Called now and then with the part that is done, from 0 to 1. */
  onProgress?: (part: number) => void;
}

export interface PassResult {
  /** By ranking: the rank of each mention's gold entity among what was scored (empty where unknown) and its best entities. */
  systems: Record<string, SystemResult>;
  /** By system the scores of the wanted pairs, in their order. */
  wanted: Record<string, Float32Array>;
  /** What the gate picked; null without one. */
  choices: Choices | null;
  /** Pairs that were ranked, and by part those for which it was computed. */
  pairs: { ranked: number; computed: Record<string, number> };
}

export interface SystemResult {
  ranks: number[];
  /** By mention the gold entity's score; empty where gold entities are not known. */
  goldScores: number[];
  top: Found[][];
  /** Of a system that mixes probabilities: by mention the share of each part, [parts]; null for others. */
  shares: { parts: string[]; values: number[][] } | null;
}

export interface Choices {
  /** Names of the gate's parts. */
  parts: string[];
  /** How often each was picked, of all entities and of those without an image, [mentions, 2, parts]; null if not counted. */
  counts: Float64Array | null;
  /** Of each mention the part picked for its gold entity; empty where that is not known. */
  gold: string[];
}

/**
 * Mentions that are scored together, at most, and mentions whose sides are on the device at once. With candidates all
 * entities that are any mention's are scored together: what does not look at the mask of pairs costs the square.
 */
const tileMentions = { ofLikeLength: 128, ofAnyLength: 256, withCandidates: 8 };
/**
 * Mentions up to the same of these lengths may share a tile, whose keys are all padded to its longest: with two prompts the
 * keys are multiples of 8, which is what the attention kernels compute anyway.
 */
const tileLengths = [14, 22, 30, 38, 46, 54, 62, 70];
const mentionsAtOnce = { all: 4096, candidates: 128 };
/** Entities that are scored together, at most; and elements of the largest array that a tile may take for them. */
const mostEntities = { cpu: 512, cpuOfAnyLength: 1024, gpu: 4096 };
const mostElements = 2 ** 24;
/** Numbers a pair that the block size allows for at least. */
const leastPairSize = 10;

/**
 * Ranks. Throws EngineError for systems with more than one gate or parts of the same name, and, naming mention, entity and
 * system, for a score that is not finite.
 */
export async function rankMentions(pass: ScoringPass): Promise<PassResult> {
  const scoring = await openScoring(pass);
  try {
    const { systems, parts, choice } = scoring;
    const counts = choice?.isCounted ? new Float64Array(pass.mentions.count * 2 * choice.parts.length) : null;
    const result: PassResult = {
      systems: Object.fromEntries(scoring.rankings.map(({ name, system }) => [name, emptyResult(system)])),
      wanted: {},
      choices: choice && {
        parts: choice.parts.map((part) => parts[part]!.name),
        counts,
        gold: Array.from(pass.gold ?? [], (entity, mention) => pickedPart(scoring, mention, entity)!),
      },
      pairs: { ranked: 0, computed: Object.fromEntries(parts.map(({ name }) => [name, 0])) },
    };
    const groups = mentionGroups(scoring, pass.candidates);
    const most = pass.candidates ? mentionsAtOnce.candidates : mentionsAtOnce.all;
    for (let first = 0; first < groups.length; ) {
      let size = 0;
      let end = first;
      while (end < groups.length && size < most) size += groups[end++]!.mentions.length;
      const [begin, count] = [first, end - first];
      await rankGroups(scoring, pass.candidates, groups.slice(begin, end), result, (part) =>
        pass.onProgress?.((begin + part * count) / groups.length),
      );
      first = end;
    }
    for (const [i, taken] of (scoring.wanted?.taken ?? []).entries()) {
      const scores = await scoring.device.read<'f32'>(taken);
      result.wanted[systems[i]!.name] = scores.subarray(0, pass.wanted!.rows.length);
    }
    return result;
  } finally {
    scoring.choice?.calibration.release();
    for (const taken of scoring.wanted?.taken ?? []) taken.release();
  }
}

function emptyResult(system: AnyScorer): SystemResult {
  const parts = partsOf(system).map(({ name }) => name);
  return { ranks: [], goldScores: [], top: [], shares: sharesOf(system) ? { parts, values: [] } : null };
}

type Candidates = ScoringPass['candidates'];

async function openScoring(pass: ScoringPass): Promise<Scoring> {
  const { systems, mentions, entities, gold = null, top = 0, rankings = systems.map(plainRanking) } = pass;
  const parts = distinctParts(systems);
  const names = new Set(parts.map(({ name }) => name));
  const gated = systems.filter((system) => gateOf(system) !== null);
  if (gated.length > 1) {
    throw new EngineError(`${gated.map(({ name }) => name)}: expected at most one gate in a pass`);
  }
  if (names.size < parts.length) {
    throw new EngineError(`parts ${parts.map(({ name }) => name)}: expected different names in a pass`);
  }
  const { device } = parts[0]!;
  const [system] = gated;
  const choice = system ? await openChoice(device, system, parts, pass) : null;
  const wanted = pass.wanted
    ? {
        pairs: pass.wanted,
        taken: systems.map(() => device.zeros([Math.max(1, pass.wanted!.rows.length)])),
      }
    : null;
  return { device, systems, parts, choice, mentions, entities, gold, top, rankings, wanted };
}

/** Reads the gate's logits: of all entities in a pass through all, else of candidates and gold entities only. */
async function openChoice(
  device: Device,
  system: AnyScorer,
  parts: readonly AnyScorer[],
  { mentions, entities, candidates, gold, countsChoices = false }: ScoringPass,
): Promise<Choice> {
  const gate = gateOf(system)!;
  let rows = range(0, candidates ? 0 : entities.count);
  let rowOf = (entity: number) => entity;
  if (candidates) {
    rows = [...new Set([...candidates.rows, ...(gold ?? [])])].sort((a, b) => a - b);
    const places = new Map(rows.map((entity, row) => [entity, row]));
    rowOf = (entity) => places.get(entity)!;
  }
  return {
    gate,
    parts: partsOf(system).map((part) => parts.indexOf(part)),
    u: await mentions.logits(gate, range(0, mentions.count)),
    v: await entities.logits(gate, rows),
    rowOf,
    isCounted: countsChoices,
    calibration: ranked(device, () => gate.calibration()),
  };
}

/** Mentions of a tile, and by part of the gate whether it is picked for any of them with any entity. */
interface Group {
  mentions: number[];
  picked: boolean[];
}

/**
 * Mentions with the same picked parts, of like length. Neighbours lean to the same parts: the attention kernels pass over
 * an entity for several mentions at once.
 */
function mentionGroups(scoring: Scoring, candidates: Candidates): Group[] {
  const { choice, mentions, parts } = scoring;
  if (candidates) return candidateGroups(scoring, candidates);
  const { lengths, count } = mentions;
  const anyLength = takesAnyLength(parts);
  const classOf = (mention: number) => (anyLength ? 0 : lengthClass(lengths[mention]!));
  const most = anyLength ? tileMentions.ofAnyLength : tileMentions.ofLikeLength;
  const all = Array.from({ length: count }, (_, number) => {
    const picked = choice ? pickedBy(choice, number, undefined) : [];
    return { number, picked, key: `${picked}`, leaning: choice ? leaning(logitsOf(choice.u, number)) : 0 };
  });
  all.sort((a, b) => {
    if (a.key !== b.key) return a.key < b.key ? -1 : 1;
    return classOf(a.number) - classOf(b.number) || a.leaning - b.leaning || a.number - b.number;
  });
  const groups: Group[] = [];
  for (const { number, picked } of all) {
    const last = groups.at(-1);
    const fits =
      last &&
      last.mentions.length < most &&
      `${last.picked}` === `${picked}` &&
      classOf(last.mentions[0]!) === classOf(number);
    if (fits) last.mentions.push(number);
    else groups.push({ mentions: [number], picked });
  }
  return groups;
}

/**
 * Mentions with candidates, neighbours of like length. A mention is alone where more than its best entities is asked: what
 * is counted, mixed or wanted of a tile's mentions is so with all entities of a block.
 */
function candidateGroups(scoring: Scoring, candidates: PairLists): Group[] {
  const { choice, mentions, systems, wanted } = scoring;
  const isAlone = choice?.isCounted || wanted || systems.some((system) => sharesOf(system) !== null);
  const most = isAlone ? 1 : tileMentions.withCandidates;
  const { lengths } = mentions;
  const sorted = range(0, mentions.count).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  return Array.from({ length: Math.ceil(sorted.length / most) }, (_, i) => {
    const group = sorted.slice(i * most, (i + 1) * most);
    const picked = choice ? group.map((mention) => pickedBy(choice, mention, candidates)) : [];
    return {
      mentions: group,
      picked: (picked[0] ?? []).map((_, part) => picked.some((own) => own[part])),
    };
  });
}

/** By part of the gate, whether it is picked for a mention with any entity that is scored. */
function pickedBy({ u, v, rowOf }: Choice, mention: number, candidates: Candidates): boolean[] {
  if (!candidates) return pickedParts(pickLogits(u, [mention]), v);
  return pickedParts(pickLogits(u, [mention]), pickLogits(v, Array.from(listOf(candidates, mention), rowOf)));
}

/** How far the gate leans to the first part for a mention, against the others. */
function leaning([first, ...others]: Float32Array): number {
  return first! - Math.max(...others);
}

/** Whether mentions of all lengths may share a tile. */
function takesAnyLength(parts: readonly AnyScorer[]): boolean {
  return parts.every(({ ignoresLengths }) => ignoresLengths);
}

function lengthClass(length: number): number {
  const found = tileLengths.findIndex((most) => length <= most);
  return found < 0 ? tileLengths.length : found;
}

async function rankGroups(
  scoring: Scoring,
  candidates: Candidates,
  groups: readonly Group[],
  result: PassResult,
  onProgress: (part: number) => void,
): Promise<void> {
  const { choice } = scoring;
  const tiles: Tile[] = [];
  try {
    for (const { mentions, picked } of groups) {
      const tile = openTile(scoring, mentions, picked, choice && pickLogits(choice.u, mentions));
      tiles.push(tile);
      if (candidates) await scoreCandidates(scoring, tile, candidates, result);
    }
    if (!candidates) await scoreEntities(scoring, tiles, result, onProgress);
    for (const tile of tiles) await collect(scoring, tile, result);
  } finally {
    for (const tile of tiles) closeTile(tile);
  }
}

/** Work of a pass: nothing of it is recorded, and what it makes goes with it. */
function ranked<T>(device: Device, body: () => T): T {
  return device.scope(() => noGrad(body));
}

/** All entities: what mixtures must know of them first, then the gold ones, then all scores. */
async function scoreEntities(
  scoring: Scoring,
  tiles: readonly Tile[],
  result: PassResult,
  onProgress: (part: number) => void,
): Promise<void> {
  const mixing = onlyMixtures(scoring);
  const begun = mixing ? 0.5 : 0;
  if (mixing) {
    await eachBlock(
      mixing,
      tiles,
      (tile, block, needs) => {
        addToMixtures(scoring, tile, block);
        countComputed(scoring, result, tile, block, needs);
      },
      (part) => onProgress(begun * part),
    );
    closeMixtures(tiles);
  }
  for (const tile of tiles) if (scoring.gold) await scoreGold(scoring, tile, scoring.gold);
  await eachBlock(
    scoring,
    tiles,
    (tile, block, needs) => {
      addScores(scoring, tile, block, tileScores(scoring, tile, block, needs));
      count(scoring, result, tile, block, needs);
    },
    (part) => onProgress(begun + (1 - begun) * part),
  );
}

/** The same scoring for the systems that mix probabilities alone; null where there are none. */
function onlyMixtures(scoring: Scoring): Scoring | null {
  const systems = scoring.systems.filter((system) => sharesOf(system) !== null);
  return systems.length > 0 ? { ...scoring, systems, choice: null } : null;
}

function closeMixtures(tiles: readonly Tile[]): void {
  for (const { mixtures } of tiles) for (const mixture of mixtures) mixture?.close();
}

/** All entities, block by block; while the device works on one, the next is read and put in line. */
async function eachBlock(
  scoring: Scoring,
  tiles: readonly Tile[],
  visit: (tile: Tile, block: Block, needs: readonly boolean[]) => void,
  onProgress: (part: number) => void,
): Promise<void> {
  const { device, entities } = scoring;
  const size = blockSize(scoring, tiles);
  const read = (first: number) =>
    first < entities.count
      ? readBlock(scoring, tiles, range(first, Math.min(size, entities.count - first)))
      : null;
  let next = read(0);
  let before = Promise.resolve();
  for (let first = 0; next; first += size) {
    const { needs, make } = await next;
    ranked(device, () => {
      const block = make();
      for (const [t, tile] of tiles.entries()) device.scope(() => visit(tile, block, needs[t]!));
    });
    const done = device.finish();
    next = read(first + size);
    // Its failure is thrown when the one after it is in line.
    done.catch(() => null);
    const [, failed] = await Promise.allSettled([before, next]);
    await before;
    if (failed.status === 'rejected') throw failed.reason;
    before = done;
    onProgress(Math.min(1, (first + size) / entities.count));
  }
  await before;
}

/** The gold entities' scores come first: what is above them is counted against them. */
async function scoreGold(scoring: Scoring, tile: Tile, gold: Int32Array): Promise<void> {
  const rows = tile.mentions.map((mention) => gold[mention]!);
  const { needs, make } = await readBlock(scoring, [tile], rows);
  ranked(scoring.device, () => {
    setGold(tile, tileScores(scoring, tile, make(), needs[0]!), [...rows.keys()]);
  });
}

/** Takes the gold entities' scores; that of mention i is in column columns[i]. */
function setGold({ states }: Tile, { byRanking }: TileScores, columns: readonly number[]): void {
  for (const [i, state] of states.entries()) state.setGold(byRanking[i]!, columns);
}

/**
 * The candidates of a tile's mentions, each entity once whosever it is; a gold entity that is no candidate of its mention
 * stays without a rank.
 */
async function scoreCandidates(
  scoring: Scoring,
  tile: Tile,
  candidates: PairLists,
  result: PassResult,
): Promise<void> {
  const { device, gold } = scoring;
  const lists = tile.mentions.map((mention) => listOf(candidates, mention));
  const rows = [...new Set(lists.flatMap((list) => [...list]))].sort((a, b) => a - b);
  const isShared = lists.some(({ length }) => length < rows.length);
  const { needs, make } = await readBlock(scoring, [tile], rows);
  const mask = isShared ? listMask(candidates, tile.mentions, rows) : null;
  const makeBlock = (): Block => {
    const listed = mask && device.tensor([lists.length, rows.length], mask);
    return { ...make(), listed };
  };
  const mixing = onlyMixtures(scoring);
  if (mixing) {
    ranked(device, () => {
      const block = makeBlock();
      addToMixtures(scoring, tile, block);
      countComputed(scoring, result, tile, block, neededParts(mixing, tile.picked));
    });
    closeMixtures([tile]);
  }
  ranked(device, () => {
    const block = makeBlock();
    const scores = tileScores(scoring, tile, block, needs[0]!);
    if (gold) {
      // -1 where a mention's gold entity is none of its candidates.
      const columns = tile.mentions.map((mention, i) =>
        lists[i]!.includes(gold[mention]!) ? rows.indexOf(gold[mention]!) : -1,
      );
      if (columns.some((column) => column >= 0)) setGold(tile, scores, columns);
    }
    addScores(scoring, tile, block, scores);
    count(
      scoring,
      result,
      tile,
      block,
      needs[0]!,
      lists.reduce((sum, { length }) => sum + length, 0),
    );
  });
}

/** Reads entities, for the parts that their pairs with any of the tiles need; by tile, which those are. */
async function readBlock(
  scoring: Scoring,
  tiles: readonly Tile[],
  rows: readonly number[],
): Promise<{ needs: boolean[][]; make: () => Block }> {
  const { device, entities, parts, choice } = scoring;
  const logits = choice && pickLogits(choice.v, rows.map(choice.rowOf));
  const needs = tiles.map((tile) => {
    const isDecided = !logits || tile.picked.filter((own) => own).length === 1;
    return neededParts(scoring, isDecided ? tile.picked : pickedParts(tile.logits!, logits));
  });
  const needed = parts.filter((_, i) => needs.some((own) => own[i]));
  const load = await entities.load(needed, rows);
  const hasNoImage = choice?.isCounted ? await entities.hasNoImage(rows) : null;
  const make = () => {
    // What is written comes first: where something is computed in between, it is sent in pieces.
    const numbers = device.tensor([rows.length], Int32Array.from(rows));
    const v = logits && device.tensor([logits.values.length / logits.parts, logits.parts], logits.values);
    const flags = hasNoImage && device.tensor([rows.length], Uint32Array.from(hasNoImage));
    const sides = new Map(load().map((side, i) => [needed[i]!, side]));
    return {
      rows,
      numbers,
      sides: parts.map((part) => sides.get(part) ?? null),
      v,
      hasNoImage: flags,
      listed: null,
    };
  };
  return { needs, make };
}

async function collect(scoring: Scoring, tile: Tile, { systems, choices }: PassResult): Promise<void> {
  for (const [i, { name, system }] of scoring.rankings.entries()) {
    const ranking = await tile.states[i]!.read();
    const { ranks, top } = findings(scoring, system, tile, ranking);
    const into = systems[name]!;
    const shares = await tile.mixtures[scoring.systems.indexOf(system)]?.readLogShares();
    const B = partsOf(system).length;
    tile.mentions.forEach((mention, j) => {
      if (scoring.gold) {
        into.ranks[mention] = ranks[j]!;
        into.goldScores[mention] = ranking.gold[j]!;
      }
      into.top[mention] = top[j]!;
      if (shares) into.shares!.values[mention] = [...shares.subarray(j * B, (j + 1) * B)].map(Math.exp);
    });
  }
  if (!tile.counts) return;
  const counts = await readCounts(tile.counts);
  const each = counts.length / tile.mentions.length;
  tile.mentions.forEach((mention, j) => {
    choices!.counts!.set(counts.subarray(j * each, (j + 1) * each), mention * each);
  });
}

function readCounts(counts: Tensor): Promise<Uint32Array> {
  return counts.device.read<'u32'>(counts);
}

function count(
  scoring: Scoring,
  result: PassResult,
  tile: Tile,
  block: Block,
  needs: readonly boolean[],
  pairs = tile.mentions.length * block.rows.length,
): void {
  result.pairs.ranked += pairs;
  countComputed(scoring, result, tile, block, needs);
}

function countComputed(
  { parts }: Scoring,
  { pairs }: PassResult,
  tile: Tile,
  block: Block,
  needs: readonly boolean[],
): void {
  const n = tile.mentions.length * block.rows.length;
  needs.forEach((need, i) => {
    if (need) pairs.computed[parts[i]!.name]! += n;
  });
}

/** Entities a block: as many as keep the largest array of a tile's scoring within bounds. */
function blockSize({ device, parts }: Scoring, tiles: readonly Tile[]): number {
  const most = Math.min(mostElements, device.maxBindingBytes / 4);
  let rowElements = leastPairSize * tileMentions.ofLikeLength;
  for (const { mentions, sides } of tiles) {
    for (const [i, side] of sides.entries()) {
      if (side !== null) rowElements = Math.max(rowElements, mentions.length * parts[i]!.pairSize(side));
    }
  }
  const fitting = Math.floor(most / rowElements);
  const cpu = takesAnyLength(parts) ? mostEntities.cpuOfAnyLength : mostEntities.cpu;
  return Math.max(1, Math.min(fitting, device.isCpu ? cpu : mostEntities.gpu));
}
