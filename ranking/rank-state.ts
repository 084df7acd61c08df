// Where the ranking of some mentions stands, on the device: how many entities are above the gold one or equal to it, and
// the best so far. Nothing of the size of the knowledge base is kept. Knows nothing of systems.

import { type Device, linearGrid } from '../engine/device.ts';
import { rowShape } from '../engine/kernels/rows.ts';
import { embedding } from '../engine/ops/embedding.ts';
import { reshape } from '../engine/ops/shape.ts';
import { topK } from '../engine/ops/top-k.ts';
import type { Tensor } from '../engine/tensor.ts';

/** What a ranking has found. */
export interface Ranking {
  /** By mention: others above the gold entity, others equal to it, scores not finite, 1 + an entity with such a score. */
  state: Uint32Array;
  /** By mention the gold entity's score, 0 where it was not set. */
  gold: Float32Array;
  /** The best scores, largest first, and their entities; -1 where there are no more: [mentions, k]. */
  values: Float32Array;
  numbers: Int32Array;
}

/** Stands for the score of what is not to be ranked: below all that is finite but a few. */
export const lowest = Math.fround(-3.4e38);

export class RankState {
  readonly #device: Device;
  readonly #mentions: number;
  readonly #k: number;
  readonly #goldScores: Tensor;
  readonly #goldNumbers: Tensor;
  readonly #state: Tensor;
  /** The best so far and room for what they become, in turn. */
  #best: [values: Tensor, numbers: Tensor];
  #next: [values: Tensor, numbers: Tensor];

  /** For mentions with these gold entities (-1: not known), keeping the k best; made outside of scopes, see `release`. */
  constructor(device: Device, gold: Int32Array<ArrayBuffer>, k: number) {
    this.#device = device;
    this.#mentions = gold.length;
    this.#k = k;
    const m = gold.length;
    this.#goldNumbers = device.tensor([m], gold);
    const list = (): [Tensor, Tensor] => [
      device.tensor([m, Math.max(1, k)], new Float32Array(m * Math.max(1, k)).fill(lowest)),
      device.tensor([m, Math.max(1, k)], new Int32Array(m * Math.max(1, k)).fill(-1)),
    ];
    this.#best = list();
    this.#next = list();
    // After what is written: a write sends what was recorded before it.
    this.#goldScores = device.zeros([m]);
    this.#state = device.zeros([m, 4], 'u32');
  }

  /** Takes the gold scores from scores [mentions, n]: of mention i the one in column columns[i]; none where that is -1. */
  setGold(scores: Tensor, columns: readonly number[]): void {
    const n = scores.shape[1]!;
    const places = Int32Array.from(columns, (column, i) => (column < 0 ? -1 : i * n + column));
    const found = embedding(reshape(scores, [scores.size, 1]), this.#device.tensor([columns.length], places));
    this.#device.copy(found, this.#goldScores, columns.length);
  }

  /** Takes scores [mentions, n] of the entities of these numbers (i32 [n], ascending) into account; call it in a scope. */
  add(scores: Tensor, numbers: Tensor): void {
    if (this.#device.isCpu) this.#take(scores, numbers);
    else this.#countAndMerge(scores, numbers);
  }

  #countAndMerge(scores: Tensor, numbers: Tensor): void {
    const n = scores.shape[1]!;
    const { constants, grid } = rowShape(this.#device, n, false);
    this.#device.run({
      kernel: 'rank',
      entry: 'count',
      constants,
      buffers: {
        scores,
        numbers,
        gold_scores: this.#goldScores,
        gold_numbers: this.#goldNumbers,
        state: this.#state,
      },
      params: { mentions: this.#mentions, entities: n, k: this.#k, n: 0, lowest },
      grid: grid(this.#mentions),
      bytes: 4 * scores.size,
    });
    if (this.#k > 0) this.#merge(scores, numbers);
  }

  /** The best scores so far, largest first; lower than any score where there are no more: [mentions, k]. */
  get bestValues(): Tensor {
    return this.#best[0];
  }

  /** Reads what has been found. */
  async read(): Promise<Ranking> {
    const [state, gold, values, numbers] = await Promise.all([
      this.#device.read<'u32'>(this.#state),
      this.#device.read<'f32'>(this.#goldScores),
      this.#device.read<'f32'>(this.#best[0]),
      this.#device.read<'i32'>(this.#best[1]),
    ]);
    // Without a column it is no number, above which there is nothing.
    return { state, gold: gold.map((score) => (Number.isNaN(score) ? 0 : score)), values, numbers };
  }

  release(): void {
    for (const tensor of [this.#goldScores, this.#goldNumbers, this.#state, ...this.#best, ...this.#next])
      tensor.release();
  }

  /** Most scores are not among the best: one pass over them costs less than the best of each block. */
  #take(scores: Tensor, numbers: Tensor): void {
    const n = scores.shape[1]!;
    this.#device.run({
      kernel: 'rank',
      entry: 'take',
      constants: { LANES: 1, ROWS: 8, VECTOR: n % 4 === 0 },
      buffers: {
        fours: scores,
        numbers,
        gold_scores: this.#goldScores,
        gold_numbers: this.#goldNumbers,
        state: this.#state,
        merged_values: this.#best[0],
        merged_numbers: this.#best[1],
      },
      params: { mentions: this.#mentions, entities: n, k: this.#k, n: 0, lowest },
      grid: linearGrid(Math.ceil(this.#mentions / 8)),
      bytes: 4 * scores.size,
    });
  }

  #merge(scores: Tensor, numbers: Tensor): void {
    const n = Math.min(this.#k, scores.shape[1]!);
    const { values, indices } = topK(scores, n);
    this.#device.run({
      kernel: 'rank',
      entry: 'merge',
      constants: { LANES: 1, ROWS: 8 },
      buffers: {
        numbers,
        best_values: this.#best[0],
        best_numbers: this.#best[1],
        found_values: values,
        found_indices: indices,
        merged_values: this.#next[0],
        merged_numbers: this.#next[1],
      },
      params: { mentions: this.#mentions, entities: scores.shape[1]!, k: this.#k, n, lowest },
      grid: [Math.ceil(this.#mentions / 8), 1, 1],
    });
    [this.#best, this.#next] = [this.#next, this.#best];
  }
}

/** 1 + #higher + #ties / 2 of mention i, ties being others with the gold entity's score. */
export function rankAt({ state }: Ranking, i: number): number {
  return 1 + state[4 * i]! + state[4 * i + 1]! / 2;
}
