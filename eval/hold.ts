// Holds a contest: scores all its mentions, or their candidates only, and makes the metrics.

import { UsageError } from '../files/errors.ts';
import { type Metrics, metricsOf } from '../ranking/metrics.ts';
import { type Candidates, ranksAmongAll, recall, retrieve } from '../ranking/retrieval.ts';
import { type PassResult, rankMentions } from '../ranking/scoring-pass.ts';
import { globalExpert } from '../ranking/sources.ts';
import { partProgress } from './part-progress.ts';
import type { Contest } from './ranking-task.ts';

/** A contest and how it came out. */
export interface Outcome {
  contest: Contest;
  result: PassResult;
  metrics: Record<string, Metrics>;
  seconds: number;
}

/** Candidates by the last contest's experts, and how good they are. */
export interface Retrieval {
  candidates: Candidates;
  /** The expert whose texts were compared. */
  by: string;
  /** Percent of mentions whose answer was proposed. */
  recall: number;
  seconds: number;
}

/** Proposes `count` entities a mention, and says how many answers are among them. Throws UsageError without texts. */
export async function propose({ pass }: Contest, count: number): Promise<Retrieval> {
  const { device, mentions, entities, kinds, golds } = pass;
  const by = kinds[globalExpert(kinds)];
  if (by === undefined) throw new UsageError('--candidates: the visual expert alone has no texts to compare');
  const start = performance.now();
  const candidates = await retrieve(device, mentions, entities, count);
  const seconds = (performance.now() - start) / 1000;
  const found = recall(candidates, golds!);
  console.log(`recall@${candidates.count} ${found.toFixed(2)} by the ${by} expert's texts`);
  return { candidates, by, recall: found, seconds };
}

/** Scores a contest's mentions, keeping the `top` best entities of each, and shows the metrics. */
export async function hold(contest: Contest, top: number, candidates?: Candidates): Promise<Outcome> {
  const { pass } = contest;
  const start = performance.now();
  const result = await rankMentions({
    ...pass,
    top,
    ...(candidates ? { candidates } : {}),
    progress: partProgress('scoring'),
  });
  const seconds = (performance.now() - start) / 1000;
  const metrics: Record<string, Metrics> = {};
  for (const { name } of pass.systems) {
    const system = result.systems[name]!;
    if (candidates) {
      system.ranks = ranksAmongAll(system.ranks, candidates, pass.golds!, pass.entities.count);
    }
    metrics[name] = metricsOf(system.ranks);
    const values = Object.entries(metrics[name]).map(([of, value]) => `${of} ${value.toFixed(2)}`);
    console.log(`${name.padEnd(11)} ${values.join('  ')}`);
  }
  console.log(`${result.pairs.ranked} pairs in ${seconds.toFixed(1)} s`);
  return { contest, result, metrics, seconds };
}
