// Two stages as one ranking of all entities: a Scorer proposes candidates, a Reranker puts these in order, and all others come
// after them in the Scorer's order. So every gold entity has a rank, and the mean rank is defined.

import { listOf } from './pair-lists.ts';
import { type Reranker, type RerankingTask, rerank } from './reranker.ts';
import { type Candidates, isCandidate, recall } from './retrieval.ts';
import type { Found } from './tile.ts';

/** What the first stage says of some mentions. */
export interface FirstStage {
  candidates: Candidates;
  /** Ranks of the gold entities among all. */
  ranks: readonly number[];
}

/** A ranking by two stages. */
export interface TwoStages {
  /** Of the gold entities among all. */
  ranks: number[];
  /** The best candidates of each mention, best first. */
  top: Found[][];
  /** Percent of mentions whose gold entity is among their candidates. */
  recall: number;
}

/** Reranks the first stage's candidates. Throws EngineError for a score that is not finite. */
export async function rankTwoStages<Inputs>(
  reranker: Reranker<Inputs>,
  first: FirstStage,
  task: Omit<RerankingTask, 'candidates'> & { gold: Int32Array },
): Promise<TwoStages> {
  const { candidates } = first;
  const { ranks, top } = await rerank(reranker, { ...task, candidates });
  return {
    ranks: mergedRanks(ranks, first, task.gold),
    top,
    recall: recall(candidates, task.gold),
  };
}

/** A candidate's rank among the candidates; of another the first stage's, which is behind all candidates. */
function mergedRanks(
  ranks: readonly number[],
  { candidates, ranks: ofFirst }: FirstStage,
  gold: Int32Array,
): number[] {
  return ranks.map((rank, mention) =>
    isCandidate(candidates, mention, gold[mention]!)
      ? rank
      : // Ties with candidates would put it among them.
        Math.max(ofFirst[mention]!, listOf(candidates, mention).length + 1),
  );
}
