// Mixtures of probabilities: each part's scores of a mention become probabilities over all entities that are scored, and of
// these the mixture takes shares: log sum_i pi_i(m) p_i(e | m). Both what probabilities are divided by and what the shares
// are decided by, each part's best scores, are known only once all entities were seen: they are collected as entities pass
// by, and the mixture's scores are made when they pass by again. Nothing of mentions x entities is kept.

import { noGrad } from '../engine/autograd.ts';
import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import { rowShape } from '../engine/kernels/rows.ts';
import { add, log, sub } from '../engine/ops/elementwise.ts';
import { slice } from '../engine/ops/shape.ts';
import type { Tensor } from '../engine/tensor.ts';
import { RankState } from './rank-state.ts';

/** How much each of B parts of a mixture counts for a mention. */
export interface Shares {
  readonly device: Device;
  /** How many of each part's best scores it looks at; 0 for none. */
  readonly best: number;
  /** By what each part's scores are multiplied before they become probabilities, in the current scope: [B]. */
  scales(): Tensor;
  /**
   * log pi [M, B] of mentions, in the current scope: from each part's best scores [M, k], largest first, with k = `best` or
   * as many entities as there are, and hasImage [M, 1], 1 for mentions with an image, else 0.
   */
  logShares(best: readonly Tensor[], hasImage: Tensor): Tensor;
}

/** The same shares for all mentions, by scales that are given: a mixture that nothing was trained for. */
export class FixedShares implements Shares {
  readonly device: Device;
  readonly best = 0;
  readonly #scales: readonly number[];

  /** Equal shares, a scale a part. */
  constructor(device: Device, scales: readonly number[]) {
    this.device = device;
    this.#scales = scales;
  }

  scales(): Tensor {
    return this.device.tensor([this.#scales.length], Float32Array.from(this.#scales));
  }

  logShares(_best: readonly Tensor[], hasImage: Tensor): Tensor {
    const [M, B] = [hasImage.shape[0]!, this.#scales.length];
    return this.device.tensor([M, B], new Float32Array(M * B).fill(-Math.log(B)));
  }
}

const lowest = -3.4e38;

/** What is known of some mentions' mixture: while entities pass by, and once all have. Made outside of scopes. */
export class MixtureState {
  readonly #shares: Shares;
  readonly #mentions: number;
  readonly #hasImage: Tensor;
  readonly #scales: Tensor;
  readonly #tops: Tensor;
  readonly #sums: Tensor;
  /** By part, where the shares look at the best scores. */
  readonly #best: RankState[];
  /** Entities seen. */
  #seen = 0;
  #logShares: Tensor | null = null;
  #offset: Tensor | null = null;

  /** `hasImage` by mention: 1 for those with an image, else 0. */
  constructor(shares: Shares, hasImage: Float32Array<ArrayBuffer>) {
    const { device, best } = shares;
    const M = hasImage.length;
    this.#shares = shares;
    this.#mentions = M;
    this.#hasImage = device.tensor([M, 1], hasImage);
    this.#scales = kept(device, () => shares.scales());
    const B = this.#scales.size;
    this.#tops = device.tensor([M, B], new Float32Array(M * B).fill(lowest));
    this.#sums = device.zeros([M, B]);
    const nobody = () => new Int32Array(M).fill(-1);
    this.#best = Array.from({ length: best > 0 ? B : 0 }, () => new RankState(device, nobody(), best));
  }

  /** Takes all parts' scores [M, n] of the entities of these numbers (i32 [n], ascending) into account; call it in a scope. */
  add(scores: readonly Tensor[], numbers: Tensor): void {
    const { device } = this.#shares;
    const entities = numbers.size;
    const { constants, grid } = rowShape(device, entities, false);
    for (const [part, own] of scores.entries()) {
      device.run({
        kernel: 'mixed-probabilities',
        entry: 'add',
        constants: { ...constants, PARTS: scores.length },
        buffers: { scores: own, scale: this.#scales, tops: this.#tops, sums: this.#sums },
        params: { mentions: this.#mentions, entities, part, lowest, nan: Number.NaN },
        grid: grid(this.#mentions),
        bytes: 8 * own.size,
      });
      this.#best[part]?.add(own, numbers);
    }
    this.#seen += entities;
  }

  /** All entities have passed by. */
  close(): void {
    const { device, best } = this.#shares;
    const k = Math.min(best, this.#seen);
    this.#logShares = kept(device, () =>
      this.#shares.logShares(
        this.#best.map((state) => slice(state.bestValues, 1, 0, k)),
        this.#hasImage,
      ),
    );
    this.#offset = kept(device, () => sub(this.#logShares!, add(this.#tops, log(this.#sums))));
  }

  /** The mixture's scores [M, n] from all parts', after `close`; call it in a scope. */
  scores(scores: readonly Tensor[]): Tensor {
    const { device } = this.#shares;
    const [first] = scores as [Tensor];
    const [M, E] = first.shape as [number, number];
    if (!this.#offset) throw new EngineError('mixture: not all entities were seen');
    const stacked = device.empty([scores.length, M, E], 'f32', 'scores of all parts');
    for (const [i, own] of scores.entries()) device.copy(own, stacked, M * E, 0, i * M * E);
    const y = device.empty([M, E], 'f32', 'scores of a mixture');
    device.run({
      kernel: 'mixed-probabilities',
      entry: 'mix',
      constants: { LANES: 1, ROWS: 8, PARTS: scores.length },
      buffers: { scores: stacked, scale: this.#scales, offset: this.#offset, y },
      params: { mentions: M, entities: E, part: 0, lowest, nan: Number.NaN },
      grid: [Math.ceil(E / 64), Math.ceil(M / 8), 1],
      flops: 8 * scores.length * M * E,
      bytes: 4 * (scores.length + 1) * M * E,
    });
    return y;
  }

  /** log pi of the mentions, [M, B] on the host, after `close`. */
  readLogShares(): Promise<Float32Array<ArrayBuffer>> {
    if (!this.#logShares) throw new EngineError('mixture: not all entities were seen');
    return this.#shares.device.read<'f32'>(this.#logShares);
  }

  release(): void {
    const own = [this.#hasImage, this.#scales, this.#tops, this.#sums, this.#logShares, this.#offset];
    for (const tensor of own) tensor?.release();
    for (const state of this.#best) state.release();
  }
}

/** What a computation makes, without its intermediate results; none of it is recorded. */
function kept(device: Device, body: () => Tensor): Tensor {
  return device.scope(() => noGrad(body));
}
