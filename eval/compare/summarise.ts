// From the ranks of all systems and seeds to what is told of them: means and spreads by groups of mentions, costs, and which
// differences are real.

import type { Mention } from '../../data/entity-mention.ts';
import { type Metrics, metricsOf } from '../../ranking/metrics.ts';
import {
  type ComparedPair,
  type ComparedSystem,
  type Costs,
  type MentionGroup,
  mentionGroups,
} from './comparison-file.ts';
import type { RowResults } from './kept-results.ts';
import { pairedTests } from './paired-test.ts';

/** A row of the tables: what it came to with each seed, null for a system without training. */
export interface Row {
  name: string;
  /** The contender's. */
  contender: string;
  runs: readonly { seed: number | null; results: RowResults }[];
}

type ByGroup = Partial<Record<MentionGroup, Metrics>>;

/** Of which the paired tests draw. */
const testSeed = 1;

/** The rows of the groups of a split's mentions, for the groups that have some. */
export function groupsOf(mentions: readonly Mention[]): ReadonlyMap<MentionGroup, readonly number[]> {
  const isIn: Record<MentionGroup, (mention: Mention) => boolean> = {
    all: () => true,
    gloss: ({ kind }) => kind === 'gloss',
    sentence: ({ kind }) => kind === 'sentence',
    image: ({ image }) => image !== null,
    'no image': ({ image }) => image === null,
  };
  return new Map(
    mentionGroups.flatMap((group) => {
      const rows = [...mentions.keys()].filter((row) => isIn[group](mentions[row]!));
      return rows.length === 0 ? [] : [[group, rows] as const];
    }),
  );
}

/** What is told of a system. */
export function summarise(
  { name, contender, runs }: Row,
  groups: ReadonlyMap<MentionGroup, readonly number[]>,
): ComparedSystem {
  const { title, parameters, bytesPerEntity } = runs[0]!.results;
  const each = runs.map(({ seed, results }) => ({
    seed,
    metrics: byGroup(groups, (rows) => metricsOf(rows.map((row) => results.ranks[row]!))),
    costs: costsOf(results),
  }));
  const recalls = runs.flatMap(({ results }) => results.recall ?? []);
  const over = (how: (values: readonly number[]) => number) =>
    byGroup(groups, (_, group) => {
      const all = each.map(({ metrics }) => metrics[group]!);
      const names = Object.keys(all[0]!) as (keyof Metrics)[];
      const entries = names.map((metric) => [metric, how(all.map((own) => own[metric]))]);
      return Object.fromEntries(entries) as unknown as Metrics;
    });
  return {
    name,
    title,
    contender,
    parameters,
    recall: recalls.length === 0 ? null : mean(recalls),
    bytesPerEntity,
    mean: over(mean),
    spread: runs.length > 1 ? over(deviation) : null,
    costs: meanCosts(each.map(({ costs }) => costs)),
    runs: each,
  };
}

/** Tests every pair of systems by H@1: of each mention the part of a system's seeds that linked it rightly. */
export function comparePairs(rows: readonly Row[]): ComparedPair[] {
  const values = rows.map(({ runs }) =>
    runs[0]!.results.ranks.map((_, i) => mean(runs.map(({ results }) => (results.ranks[i]! <= 1 ? 100 : 0)))),
  );
  return pairedTests(values, { seed: testSeed }).map(({ a, b, ...found }) => ({
    a: rows[a]!.name,
    b: rows[b]!.name,
    ...found,
  }));
}

function byGroup(
  groups: ReadonlyMap<MentionGroup, readonly number[]>,
  of: (rows: readonly number[], group: MentionGroup) => Metrics,
): ByGroup {
  return Object.fromEntries([...groups].map(([group, rows]) => [group, of(rows, group)]));
}

function costsOf({ ranks, seconds, peakBytes }: RowResults): Costs {
  return {
    ...seconds,
    mention: (1000 * seconds.rank) / ranks.length,
    trainBytes: peakBytes.train,
    rankBytes: peakBytes.rank,
  };
}

function meanCosts(all: readonly Costs[]): Costs {
  const of = (name: keyof Costs) => {
    const known = all.flatMap((costs) => costs[name] ?? []);
    return known.length === 0 ? null : mean(known);
  };
  return {
    train: of('train'),
    encode: of('encode')!,
    rank: of('rank')!,
    mention: of('mention')!,
    trainBytes: of('trainBytes'),
    rankBytes: of('rankBytes')!,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The sample standard deviation of at least two values. */
function deviation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - m) ** 2, 0) / (values.length - 1));
}
