// The metrics made of the ranks of mentions' answers. Knows nothing of how they were ranked.

import { EngineError } from '../engine/errors.ts';

/** How often the right entity is among the first k, and mean reciprocal rank, in percent; the mean rank. */
export interface Metrics {
  'hits@1': number;
  'hits@3': number;
  'hits@5': number;
  'hits@10': number;
  'hits@20': number;
  mrr: number;
  mr: number;
}

/** The metrics of at least one rank. */
export function metricsOf(ranks: readonly number[]): Metrics {
  if (ranks.length === 0) throw new EngineError('metricsOf: no ranks');
  const percent = (sum: number) => (100 * sum) / ranks.length;
  const hits = (k: number) => percent(ranks.filter((rank) => rank <= k).length);
  return {
    'hits@1': hits(1),
    'hits@3': hits(3),
    'hits@5': hits(5),
    'hits@10': hits(10),
    'hits@20': hits(20),
    mrr: percent(ranks.reduce((sum, rank) => sum + 1 / rank, 0)),
    mr: ranks.reduce((sum, rank) => sum + rank, 0) / ranks.length,
  };
}
