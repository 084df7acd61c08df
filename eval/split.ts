// One expert on one split: every mention of it against the whole knowledge base.

import type { Split } from '../data/dataset.ts';
import { type Expert, type FeatureOptions, firstImages, type SideTables } from '../train/expert-model.ts';
import type { Run } from '../train/run.ts';
import { byLength } from '../train/samples.ts';
import { forScoredMentions, rankOf } from './rank.ts';

/** Features of a split's mentions and of all entities, each with its first image. */
export interface SplitTables {
  mention: SideTables & { images: readonly number[] };
  entity: SideTables & { images: readonly number[] };
}

/** Encodes a split and the knowledge base with the expert's weights of now. */
export async function splitTables(
  run: Run,
  expert: Expert,
  split: Split,
  features: FeatureOptions,
): Promise<SplitTables> {
  const of = async (side: 'mention' | 'entity') => {
    const samples = side === 'mention' ? run.corpus.mentions[split] : run.corpus.entities;
    const { each, distinct } = firstImages(samples);
    return { ...(await expert.tables(side, samples, distinct, features)), images: each };
  };
  return { mention: await of('mention'), entity: await of('entity') };
}

/** Scores [m, e] of some mentions and entities of the tables; call it in a scope. */
export function tableScores(
  expert: Expert,
  { mention, entity }: SplitTables,
  mentions: readonly number[],
  entities: readonly number[],
) {
  const rows = (side: SplitTables['mention'], numbers: readonly number[]) =>
    expert.featuresOf(
      side,
      numbers,
      numbers.map((number) => side.images[number]!),
    );
  return expert.scores(rows(mention, mentions), rows(entity, entities));
}

/** Where an expert that is no longer trained has its features from: those of a CLIP of its own are not kept. */
export function lastingFeatures(run: Run, expert: Expert): FeatureOptions {
  return expert.isTrainedClip ? { ...run.features, cache: '' } : run.features;
}

/** Ranks of the answers of a split's mentions, by the expert alone. */
export async function rankSplit(
  run: Run,
  expert: Expert,
  split: Split,
  features: FeatureOptions,
): Promise<number[]> {
  const tables = await splitTables(run, expert, split, features);
  const answers = run.corpus.answers[split];
  const ranks: number[] = [];
  await forScoredMentions(
    run.device,
    byLength(run.corpus.mentions[split].tokens),
    byLength(run.corpus.entities.tokens),
    (mentions, entities) => tableScores(expert, tables, mentions, entities),
    (mention, scores) => {
      ranks[mention] = rankOf(scores, answers[mention]!);
    },
  );
  return ranks;
}
