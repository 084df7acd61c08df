// Ranks many mentions against all entities, or each against candidates of its own, by several systems at once: one stream
// through the entities, and of each mention only what rank-state.ts keeps. No array of mentions x entities is made
// anywhere. Where a gate chooses, experts that it picks for no pair of a tile and a block are not asked.

import { pickedExperts, shareOf, sharesOf } from './gate-shares.ts';
import { range } from './sources.ts';
import {
  addScores,
  type Block,
  closeTile,
  type Found,
  findings,
  neededExperts,
  openTile,
  type Scoring,
  type Tile,
  tileScores,
} from './tile.ts';

export interface ScoringPass extends Scoring {
  /** Score only these: of each mention `count` entities, ascending; [mentions, count]. */
  candidates?: { rows: Int32Array; count: number };
  /** Called now and then with the part that is done, from 0 to 1. */
  progress?: (part: number) => void;
}

export interface PassResult {
  /** By system: the rank of each mention's answer among what was scored (empty without answers) and its best entities. */
  systems: Record<string, { ranks: number[]; top: Found[][] }>;
  /** How often the gate picked each expert, of all entities and of those without an image: [mentions, 2, experts]. */
  picked: Float64Array;
  /** Pairs that were ranked, and those for which each expert was asked. */
  pairs: { ranked: number; computed: number[] };
}

/** Mentions that are scored together, and mentions whose vectors are on the device at once. */
const tileMentions = 128;
/**
 * Mentions up to the same of these lengths may share a tile, whose keys are all padded to its longest: with two prompts the
 * keys are multiples of 8, which is what the attention kernels compute anyway.
 */
const tileLengths = [14, 22, 30, 38, 46, 54, 62, 70];
const mentionsAtOnce = { all: 4096, candidates: 16 };
/** Entities that are scored together, at most; and elements of the largest array that a tile may take for them. */
const mostEntities = { cpu: 512, gpu: 4096 };
const mostElements = 2 ** 24;

/** Scores. Throws EngineError, naming mention, entity and system, for a score that is not finite. */
export async function rankMentions(pass: ScoringPass): Promise<PassResult> {
  const result: PassResult = {
    systems: Object.fromEntries(pass.systems.map(({ name }) => [name, { ranks: [], top: [] }])),
    picked: new Float64Array(pass.mentions.count * 2 * pass.kinds.length),
    pairs: { ranked: 0, computed: pass.kinds.map(() => 0) },
  };
  const groups = mentionGroups(pass);
  const most = pass.candidates ? mentionsAtOnce.candidates : mentionsAtOnce.all;
  for (let first = 0; first < groups.length; ) {
    let size = 0;
    let end = first;
    while (end < groups.length && size < most) size += groups[end++]!.mentions.length;
    const [begin, count] = [first, end - first];
    await rankGroups(pass, groups.slice(begin, end), result, (part) =>
      pass.progress?.((begin + part * count) / groups.length),
    );
    first = end;
  }
  return result;
}

/** Mentions of a tile, and by expert whether the gate picks it for any of them with any entity. */
interface Group {
  mentions: number[];
  picked: boolean[];
}

/**
 * Mentions with the same picked experts, of like length; a mention with candidates is alone. Neighbours lean to the same
 * experts: the attention kernels pass over an entity for several mentions at once.
 */
function mentionGroups({ kinds, mentions, entities, candidates }: ScoringPass): Group[] {
  const { gate, lengths, count } = mentions;
  const everyone = kinds.map(() => true);
  const all = Array.from({ length: count }, (_, number) => {
    const picked = gate && entities.gate ? pickedExperts(sharesOf(gate, [number]), entities.gate) : everyone;
    return { number, picked, key: `${picked}`, leaning: gate ? leaning(shareOf(gate, number)) : 0 };
  });
  if (candidates) return all.map(({ number, picked }) => ({ mentions: [number], picked }));
  all.sort((a, b) => {
    if (a.key !== b.key) return a.key < b.key ? -1 : 1;
    const [ofA, ofB] = [a, b].map(({ number }) => lengthClass(lengths[number]!));
    return ofA! - ofB! || a.leaning - b.leaning || a.number - b.number;
  });
  const groups: Group[] = [];
  for (const { number, picked } of all) {
    const last = groups.at(-1);
    const fits =
      last &&
      last.mentions.length < tileMentions &&
      `${last.picked}` === `${picked}` &&
      lengthClass(lengths[last.mentions[0]!]!) === lengthClass(lengths[number]!);
    if (fits) last.mentions.push(number);
    else groups.push({ mentions: [number], picked });
  }
  return groups;
}

/** How far the gate leans to the first expert for a mention, against the others. */
function leaning([first, ...others]: Float32Array): number {
  return first! - Math.max(...others);
}

function lengthClass(length: number): number {
  const found = tileLengths.findIndex((most) => length <= most);
  return found < 0 ? tileLengths.length : found;
}

async function rankGroups(
  pass: ScoringPass,
  groups: readonly Group[],
  result: PassResult,
  progress: (part: number) => void,
): Promise<void> {
  const tiles: Tile[] = [];
  try {
    for (const { mentions, picked } of groups) {
      const tile = openTile(pass, mentions, picked);
      tiles.push(tile);
      if (pass.candidates) await scoreCandidates(pass, tile, pass.candidates, result);
      else if (pass.golds) await scoreGolds(pass, tile, pass.golds);
    }
    if (!pass.candidates) await scoreAll(pass, tiles, result, progress);
    for (const tile of tiles) await collect(pass, tile, result);
  } finally {
    for (const tile of tiles) closeTile(tile);
  }
}

/** All entities, block by block; the next block is read while the device works on one. */
async function scoreAll(
  pass: ScoringPass,
  tiles: readonly Tile[],
  result: PassResult,
  progress: (part: number) => void,
): Promise<void> {
  const { device, entities } = pass;
  const size = blockSize(pass, tiles);
  const read = (first: number) =>
    first < entities.count
      ? readBlock(pass, tiles, range(first, Math.min(size, entities.count - first)))
      : null;
  let next = read(0);
  for (let first = 0; next; first += size) {
    const { needs, make } = await next;
    device.scope(() => {
      const block = make();
      for (const [t, tile] of tiles.entries()) {
        device.scope(() => {
          addScores(pass, tile, block, tileScores(pass, tile, block, needs[t]!));
        });
        count(result, tile, block, needs[t]!);
      }
    });
    const done = device.finish();
    next = read(first + size);
    const [, failed] = await Promise.allSettled([done, next]);
    await done;
    if (failed.status === 'rejected') throw failed.reason;
    progress(Math.min(1, (first + size) / entities.count));
  }
}

/** The answers' scores come first: what is above them is counted against them. */
async function scoreGolds(pass: ScoringPass, tile: Tile, golds: Int32Array): Promise<void> {
  const rows = tile.mentions.map((mention) => golds[mention]!);
  const { needs, make } = await readBlock(pass, [tile], rows);
  pass.device.scope(() => {
    const scores = tileScores(pass, tile, make(), needs[0]!);
    for (const [i, state] of tile.states.entries()) state.setGold(scores[i]!, [...rows.keys()]);
  });
}

/** The candidates of a tile's only mention; an answer that is none of them stays without a rank. */
async function scoreCandidates(
  pass: ScoringPass,
  tile: Tile,
  { rows: all, count: n }: { rows: Int32Array; count: number },
  result: PassResult,
): Promise<void> {
  const [mention] = tile.mentions as [number];
  const rows = [...all.subarray(mention * n, (mention + 1) * n)];
  const { needs, make } = await readBlock(pass, [tile], rows);
  pass.device.scope(() => {
    const block = make();
    const scores = tileScores(pass, tile, block, needs[0]!);
    const gold = rows.indexOf(pass.golds?.[mention] ?? -1);
    if (gold >= 0) for (const [i, state] of tile.states.entries()) state.setGold(scores[i]!, [gold]);
    addScores(pass, tile, block, scores);
    count(result, tile, block, needs[0]!);
  });
}

/** Reads entities, for the experts that their pairs with any of the tiles need; by tile, which those are. */
async function readBlock(
  pass: ScoringPass,
  tiles: readonly Tile[],
  rows: readonly number[],
): Promise<{ needs: boolean[][]; make: () => Block }> {
  const { device, entities, kinds } = pass;
  const shares = entities.gate ? sharesOf(entities.gate, rows) : null;
  const needs = tiles.map((tile) => {
    const isDecided = !shares || tile.picked.filter((own) => own).length === 1;
    return neededExperts(pass, isDecided ? tile.picked : pickedExperts(tile.shares!, shares));
  });
  const load = await entities.load(
    rows,
    kinds.map((_, i) => needs.some((own) => own[i])),
  );
  const make = () => ({
    rows,
    numbers: device.tensor([rows.length], Int32Array.from(rows)),
    vectors: load(),
    v: shares ? device.tensor([shares.values.length / kinds.length, kinds.length], shares.values) : null,
    imageless: device.tensor(
      [rows.length],
      Uint32Array.from(rows, (row) => entities.imageless[row]!),
    ),
  });
  return { needs, make };
}

async function collect(pass: ScoringPass, tile: Tile, { systems, picked }: PassResult): Promise<void> {
  for (const [i, system] of pass.systems.entries()) {
    const { ranks, top } = findings(pass, system, tile, await tile.states[i]!.read());
    const into = systems[system.name]!;
    tile.mentions.forEach((mention, j) => {
      if (pass.golds) into.ranks[mention] = ranks[j]!;
      into.top[mention] = top[j]!;
    });
  }
  if (!tile.counts) return;
  const counts = await pass.device.read<'u32'>(tile.counts);
  const each = 2 * pass.kinds.length;
  tile.mentions.forEach((mention, j) => {
    picked.set(counts.subarray(j * each, (j + 1) * each), mention * each);
  });
}

function count({ pairs }: PassResult, tile: Tile, block: Block, needs: readonly boolean[]): void {
  const n = tile.mentions.length * block.rows.length;
  pairs.ranked += n;
  needs.forEach((need, i) => {
    if (need) pairs.computed[i]! += n;
  });
}

/** Entities a block: as many as keep a tile's contexts and attention weights within bounds. */
function blockSize({ device }: ScoringPass, tiles: readonly Tile[]): number {
  const most = Math.min(mostElements, device.maxBindingBytes / 4);
  let rowElements = 10 * tileMentions;
  for (const { mentions, vectors } of tiles) {
    for (const vector of vectors) {
      const [, L, h] = vector?.text?.keys.shape ?? [0, 0, 0];
      rowElements = Math.max(rowElements, mentions.length * Math.max(L!, h!));
    }
  }
  const fitting = Math.floor(most / rowElements);
  return Math.max(1, Math.min(fitting, device.isCpu ? mostEntities.cpu : mostEntities.gpu));
}
