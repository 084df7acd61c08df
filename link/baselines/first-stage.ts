// What a trained baseline proposes to a reranker: each mention's best entities, and where the right one stands.

import type { Split } from '../../data/dataset.ts';
import type { FeatureOptions } from '../../encoding/features.ts';
import { retrieve } from '../../ranking/retrieval.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, prepareSamples } from '../../ranking/sources.ts';
import type { FirstStage } from '../../ranking/two-stages.ts';
import type { Session } from '../session.ts';

/** The first stage of some splits, `count` candidates a mention; all entities where there are no more. */
export async function firstStages<S extends Split>(
  { corpus }: Session,
  scorer: AnyScorer,
  splits: readonly S[],
  count: number,
  features: FeatureOptions,
): Promise<Record<S, FirstStage>> {
  const entities = preparedEntities(await prepareSamples([scorer], 'entity', corpus.entities, features));
  const found: Partial<Record<S, FirstStage>> = {};
  for (const split of splits) {
    const prepared = await prepareSamples([scorer], 'mention', corpus.mentions[split], features);
    const mentions = preparedMentions(prepared);
    const gold = corpus.gold[split];
    const { systems } = await rankMentions({ systems: [scorer], mentions, entities, gold });
    found[split] = {
      candidates: await retrieve(scorer, mentions, entities, count),
      ranks: systems[scorer.name]!.ranks,
    };
  }
  return found as Record<S, FirstStage>;
}
