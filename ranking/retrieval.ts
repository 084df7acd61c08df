// Dense retrieval in front of scoring: of each mention the N entities whose vectors have the largest dot products with its
// own, by the vectors that a scorer names: exactly, but that an index may have them in fewer bits. Only these are scored then.

import { noGrad } from '../engine/autograd.ts';
import { listOf, type PairLists } from './pair-lists.ts';
import { RankState } from './rank-state.ts';
import type { AnyScorer } from './scorer.ts';
import { type EntitySource, type MentionSource, range } from './sources.ts';

/** The only entities that are scored of each mention. */
export type Candidates = PairLists;

const mentionsAtOnce = 256;
/** Similarities that are on the device at once, at most. */
const mostSimilarities = 2 ** 21;

/** The candidates of all mentions by a scorer's vectors; all entities where N is more than there are. */
export async function retrieve(
  scorer: AnyScorer,
  mentions: MentionSource,
  entities: EntitySource,
  N: number,
): Promise<Candidates> {
  const { device } = scorer;
  const count = Math.min(N, entities.count);
  const rows = new Int32Array(mentions.count * count);
  for (let first = 0; first < mentions.count; first += mentionsAtOnce) {
    const numbers = range(first, Math.min(mentionsAtOnce, mentions.count - first));
    const state = new RankState(device, new Int32Array(numbers.length).fill(-1), count);
    const queries = device.scope(() => noGrad(() => mentions.retrievalVectors(scorer, numbers)));
    try {
      const most = Math.floor(mostSimilarities / numbers.length);
      const size = Math.max(1024, Math.min(entities.similaritiesAtOnce, most));
      // While the device works on some entities, the next are read and put in line.
      let before = Promise.resolve();
      for (let from = 0; from < entities.count; from += size) {
        const block = Math.min(size, entities.count - from);
        const similarities = await entities.loadSimilarities(scorer, from, block);
        device.scope(() => {
          const own = device.tensor([block], consecutive(from, block));
          state.add(
            noGrad(() => similarities(queries)),
            own,
          );
        });
        const done = device.finish();
        // Its failure is thrown when the next are in line.
        done.catch(() => null);
        await before;
        before = done;
      }
      await before;
      const { numbers: best } = await state.read();
      for (let i = 0; i < numbers.length; i++) {
        rows.set(best.subarray(i * count, (i + 1) * count).sort(), (first + i) * count);
      }
    } finally {
      queries.release();
      state.release();
    }
  }
  return { offsets: Int32Array.from({ length: mentions.count + 1 }, (_, i) => i * count), rows };
}

function consecutive(first: number, count: number): Int32Array<ArrayBuffer> {
  const numbers = new Int32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = first + i;
  return numbers;
}

/** Percent of mentions whose gold entity is among their candidates. */
export function recall(candidates: Candidates, gold: Int32Array): number {
  const found = gold.filter((entity, mention) => isCandidate(candidates, mention, entity));
  return (100 * found.length) / gold.length;
}

/**
 * Ranks among candidates as ranks among all entities: what was not scored counts as tied below everything that was, so a
 * gold entity that is none of N candidates has rank N + 1 + (others not scored) / 2.
 */
export function ranksAmongAll(
  ranks: readonly number[],
  candidates: Candidates,
  gold: Int32Array,
  entities: number,
): number[] {
  return ranks.map((rank, mention) => {
    const { length } = listOf(candidates, mention);
    return isCandidate(candidates, mention, gold[mention]!) ? rank : length + 1 + (entities - length - 1) / 2;
  });
}

/** Whether an entity is among a mention's candidates. */
export function isCandidate(candidates: Candidates, mention: number, entity: number): boolean {
  return listOf(candidates, mention).includes(entity);
}
