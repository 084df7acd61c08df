// Some pairs of mentions and entities, as a list of entities for each mention: candidates, pairs to which something is added
// (names), pairs whose scores are wanted. And how a block of scores on the device is read and changed at such pairs.

import { linearGrid } from '../engine/device.ts';
import type { Tensor } from '../engine/tensor.ts';

/** Of each mention some entities, ascending, each once: those of mention i are rows[offsets[i]] to rows[offsets[i + 1] - 1]. */
export interface PairLists {
  /** [mentions + 1] */
  offsets: Int32Array;
  rows: Int32Array;
}

/** What is added to the scores of some pairs. */
export interface PairAdditions extends PairLists {
  /** By pair, in the order of `rows`. */
  values: Float32Array;
}

/** Lists as one; each is sorted, and what stands in it twice counts once. */
export function pairLists(lists: readonly (readonly number[])[]): PairLists {
  const sorted = lists.map((list) => [...new Set(list)].sort((a, b) => a - b));
  const offsets = new Int32Array(lists.length + 1);
  sorted.forEach((list, i) => {
    offsets[i + 1] = offsets[i]! + list.length;
  });
  return { offsets, rows: Int32Array.from(sorted.flat()) };
}

/** The entities of a mention. */
export function listOf({ offsets, rows }: PairLists, mention: number): Int32Array {
  return rows.subarray(offsets[mention]!, offsets[mention + 1]!);
}

/** Both lists of each mention as one. */
export function joinLists(a: PairLists, b: PairLists): PairLists {
  const mentions = Array.from({ length: a.offsets.length - 1 }, (_, i) => i);
  return pairLists(mentions.map((mention) => [...listOf(a, mention), ...listOf(b, mention)]));
}

/** What is added to the score of a pair; 0 for one that is not in the lists. */
export function additionTo(additions: PairAdditions, mention: number, entity: number): number {
  const at = listOf(additions, mention).indexOf(entity);
  return at < 0 ? 0 : additions.values[additions.offsets[mention]! + at]!;
}

/** The pairs of a block [mentions, rows] that are in the lists: where in the block, and where in the lists. */
export interface BlockPairs {
  places: Uint32Array<ArrayBuffer>;
  numbers: Uint32Array<ArrayBuffer>;
}

/** Finds them; an entity that stands in several columns is found in all of them. */
export function blockPairs(
  lists: PairLists,
  mentions: readonly number[],
  rows: readonly number[],
): BlockPairs {
  const columns = columnsOf(rows);
  const places: number[] = [];
  const numbers: number[] = [];
  mentions.forEach((mention, i) => {
    for (let at = lists.offsets[mention]!; at < lists.offsets[mention + 1]!; at++) {
      for (const column of columns(lists.rows[at]!)) {
        places.push(i * rows.length + column);
        numbers.push(at);
      }
    }
  });
  return { places: Uint32Array.from(places), numbers: Uint32Array.from(numbers) };
}

/** The columns in which a row stands; without a table of them where rows follow one another. */
function columnsOf(rows: readonly number[]): (row: number) => readonly number[] {
  const [first, last] = [rows[0]!, rows.at(-1)!];
  const isRange = last - first === rows.length - 1 && rows.every((row, i) => row === first + i);
  if (isRange) return (row) => (row >= first && row <= last ? [row - first] : []);
  const columns = new Map<number, number[]>();
  for (const [column, row] of rows.entries()) {
    const known = columns.get(row);
    if (known) known.push(column);
    else columns.set(row, [column]);
  }
  return (row) => columns.get(row) ?? [];
}

/** A copy of scores [mentions, rows] with the additions of its pairs, in the current scope; the scores themselves where there is none. */
export function withAdditions(
  scores: Tensor,
  { values }: PairAdditions,
  { places, numbers }: BlockPairs,
): Tensor {
  const n = places.length;
  if (n === 0) return scores;
  const { device } = scores;
  const sum = device.empty(scores.shape, 'f32', 'scores with additions');
  device.copy(scores, sum, scores.size);
  device.run({
    kernel: 'sparse-pairs',
    entry: 'add_values',
    buffers: {
      scores: sum,
      places: device.tensor([n], places),
      values: device.tensor(
        [n],
        Float32Array.from(numbers, (number) => values[number]!),
      ),
    },
    params: { pairs: n, lowest: 0 },
    grid: linearGrid(Math.ceil(n / 64)),
    bytes: 12 * n,
  });
  return sum;
}

/** u32 [mentions, rows], 1 on the pairs of a block that are in the lists, on the host. */
export function listMask(
  lists: PairLists,
  mentions: readonly number[],
  rows: readonly number[],
): Uint32Array<ArrayBuffer> {
  const mask = new Uint32Array(mentions.length * rows.length);
  for (const place of blockPairs(lists, mentions, rows).places) mask[place] = 1;
  return mask;
}

/** A copy of scores [mentions, rows], in the current scope, that has `lowest` where a mask (u32 [mentions, rows]) is 0. */
export function keepPairs(scores: Tensor, pairMask: Tensor, lowest: number): Tensor {
  const { device, size } = scores;
  const kept = device.empty(scores.shape, 'f32', 'scores of listed pairs');
  device.copy(scores, kept, size);
  device.run({
    kernel: 'sparse-pairs',
    entry: 'keep_pairs',
    buffers: { scores: kept, pair_mask: pairMask },
    params: { pairs: size, lowest },
    grid: linearGrid(Math.ceil(size / 64)),
    bytes: 8 * size,
  });
  return kept;
}

/** Copies the scores of pairs into `taken`: pair i of the block to slots[i]. */
export function takeScores(
  scores: Tensor,
  places: Uint32Array<ArrayBuffer>,
  slots: Uint32Array<ArrayBuffer>,
  taken: Tensor,
): void {
  const n = places.length;
  if (n === 0) return;
  const { device } = scores;
  device.run({
    kernel: 'sparse-pairs',
    entry: 'take_scores',
    buffers: {
      scores,
      places: device.tensor([n], places),
      slots: device.tensor([n], slots),
      taken,
    },
    params: { pairs: n, lowest: 0 },
    grid: linearGrid(Math.ceil(n / 64)),
    bytes: 12 * n,
  });
}
