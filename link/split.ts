// A system on one split: every mention of it against the whole knowledge base, each sample by its first image.

import type { Split } from '../data/dataset.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import { type Metrics, metricsOf } from '../ranking/metrics.ts';
import type { AnyScorer } from '../ranking/scorer.ts';
import { rankMentions, type ScoringPass } from '../ranking/scoring-pass.ts';
import {
  type EntitySource,
  type Prepared,
  preparedEntities,
  preparedMentions,
  prepareSamples,
  streamedEntities,
} from '../ranking/sources.ts';
import { type PickedBy, pickedBy, sharesBy } from './gate-choices.ts';
import type { Session } from './session.ts';

/** A split's mentions and the knowledge base as some systems keep them. */
export interface PreparedSplit {
  mentions: Prepared;
  entities: Prepared;
  gold: Int32Array;
}

/** Prepares a split's mentions and the knowledge base with the weights of now. */
export async function prepareSplit(
  { corpus, features }: Session,
  systems: readonly AnyScorer[],
  split: Split,
): Promise<PreparedSplit> {
  return {
    mentions: await prepareSamples(systems, 'mention', corpus.mentions[split], features),
    entities: await prepareSamples(systems, 'entity', corpus.entities, features),
    gold: corpus.gold[split],
  };
}

/** What ranks a split's mentions by systems that it was prepared for. */
export function splitPass(
  systems: readonly AnyScorer[],
  { mentions, entities, gold }: PreparedSplit,
): ScoringPass {
  return { systems, mentions: preparedMentions(mentions), entities: preparedEntities(entities), gold };
}

/** How a system ranks a split, and what its gate picked, or the shares that it gave; null without one. */
export interface SplitResult {
  metrics: Metrics;
  ranks: number[];
  picked: PickedBy | null;
}

/** Ranks a split's mentions by a system as its weights are now, for a split that was prepared before. */
export async function rankPrepared(system: AnyScorer, split: PreparedSplit): Promise<SplitResult> {
  const { systems, choices } = await rankMentions({ ...splitPass([system], split), countsChoices: true });
  const { ranks, shares } = systems[system.name]!;
  const { hasNoImage } = split.mentions;
  return {
    metrics: metricsOf(ranks),
    ranks,
    picked: shares ? sharesBy(shares, hasNoImage) : choices && pickedBy(choices, hasNoImage),
  };
}

/** Features of a whole knowledge base that are held in memory, in bytes, where no cache keeps them in a file. */
const mostInMemory = 2 ** 30;

/**
 * Ranks of the gold entities of a split's mentions. Without a cache a knowledge base whose features take more than `most`
 * bytes is encoded chunk by chunk and never held.
 */
export async function rankSplit(
  { corpus }: Session,
  scorer: AnyScorer,
  split: Split,
  features: FeatureOptions,
  most = mostInMemory,
): Promise<number[]> {
  const { entities, mentions, gold } = corpus;
  const isStreamed = features.cache === '' && scorer.preparedBytes(entities) > most;
  const source: EntitySource = isStreamed
    ? streamedEntities(entities, features)
    : preparedEntities(await prepareSamples([scorer], 'entity', entities, features));
  const prepared = await prepareSamples([scorer], 'mention', mentions[split], features);
  const { systems } = await rankMentions({
    systems: [scorer],
    mentions: preparedMentions(prepared),
    entities: source,
    gold: gold[split],
  });
  return systems[scorer.name]!.ranks;
}
