// A ranking task: systems of which one pass through the knowledge base serves all. The experts as stage 1 left them and
// their mean make one; DSMIP, whose scoring units stage 2 trained on, another.

import type { Split } from '../data/dataset.ts';
import type { LinkingModel } from '../link/linking-model.ts';
import type { Session } from '../link/session.ts';
import { type PreparedSplit, splitPass } from '../link/split.ts';
import type { AnyScorer } from '../ranking/scorer.ts';
import type { ScoringPass } from '../ranking/scoring-pass.ts';
import { type EntitySource, preparedMentions, prepareSamples } from '../ranking/sources.ts';
import type { TaskNames } from './names.ts';

export interface RankingTask {
  name: string;
  pass: ScoringPass & { gold: Int32Array };
  /** 1 for mentions without an image. */
  hasNoImage: Uint8Array;
  /** Calibrated systems, and what names say; none where names do not count. */
  names?: TaskNames;
}

/** Systems on a split that was prepared for them. */
export function splitTask(name: string, systems: readonly AnyScorer[], split: PreparedSplit): RankingTask {
  const { gold, mentions } = split;
  return { name, pass: { ...splitPass(systems, split), gold }, hasNoImage: mentions.hasNoImage };
}

/** The system that answers alone, on entities from an index. */
export async function indexTask(
  { corpus, features }: Session,
  { scorer }: LinkingModel,
  split: Split,
  entities: EntitySource,
): Promise<RankingTask> {
  const prepared = await prepareSamples([scorer], 'mention', corpus.mentions[split], features);
  const mentions = preparedMentions(prepared);
  return {
    name: scorer.name,
    pass: { systems: [scorer], mentions, entities, gold: corpus.gold[split] },
    hasNoImage: prepared.hasNoImage,
  };
}
