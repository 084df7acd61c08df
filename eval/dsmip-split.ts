// DSMIP on one split: every mention against the whole knowledge base, and how often the gate picked which expert.

import type { Split } from '../data/dataset.ts';
import { argmax } from '../engine/ops/top-k.ts';
import { bestExperts, selectedScores } from '../model/dsmip.ts';
import type { Dsmip } from '../train/dsmip-model.ts';
import type { Run } from '../train/run.ts';
import { byLength } from '../train/samples.ts';
import { forScoredMentions, type Metrics, metricsOf, rankOf } from './rank.ts';
import { lastingFeatures, type SplitTables, splitTables, tableScores } from './split.ts';

/** Percent of pairs by the expert that the gate picked for them; no field for no pairs. */
export type Picked = Record<string, number>;

export interface DsmipResult {
  metrics: Metrics;
  ranks: number[];
  /** Of all pairs, of those whose mention has no image, of those whose entity has none. */
  picked: { overall: Picked; mentionWithoutImage: Picked; entityWithoutImage: Picked };
}

/** The experts' features of a split and of all entities: the same for every epoch of stage 2. */
export async function dsmipTables(run: Run, dsmip: Dsmip, split: Split): Promise<SplitTables[]> {
  const tables: SplitTables[] = [];
  for (const expert of dsmip.experts) {
    tables.push(await splitTables(run, expert, split, lastingFeatures(run, expert)));
  }
  return tables;
}

/** Scores with the expert that the gate thinks best of, without noise and dropout. */
export async function evaluateDsmip(
  run: Run,
  dsmip: Dsmip,
  split: Split,
  tables: readonly SplitTables[],
): Promise<DsmipResult> {
  const { device, corpus } = run;
  const answers = corpus.answers[split];
  const E = corpus.entities.tokens.count;
  const first = (rows: readonly number[], side: 'mention' | 'entity') => {
    const { images } = side === 'mention' ? corpus.mentions[split] : corpus.entities;
    return { rows, images: rows.map((row) => images[row]![0] ?? 0) };
  };
  const pi = (mentions: readonly number[], entities: readonly number[]) =>
    dsmip.choice(first(mentions, 'mention'), first(entities, 'entity'), split);

  const ranks: number[] = [];
  await forScoredMentions(
    device,
    byLength(corpus.mentions[split].tokens),
    byLength(corpus.entities.tokens),
    (mentions, entities) => {
      const scores = dsmip.experts.map((expert, i) => tableScores(expert, tables[i]!, mentions, entities));
      const z = dsmip.spread(bestExperts(pi(mentions, entities)), entities.length);
      return selectedScores(z, dsmip.calibrated(scores));
    },
    (mention, scores) => {
      ranks[mention] = rankOf(scores, answers[mention]!);
    },
  );

  const kinds = dsmip.experts.map(({ kind }) => kind);
  const counts = {
    overall: tally(kinds),
    mentionWithoutImage: tally(kinds),
    entityWithoutImage: tally(kinds),
  };
  const [mentionImages, entityImages] = [corpus.mentions[split].images, corpus.entities.images];
  await forScoredMentions(
    device,
    byLength(corpus.mentions[split].tokens),
    byLength(corpus.entities.tokens),
    (mentions, entities) => argmax(dsmip.spread(pi(mentions, entities), entities.length)),
    (mention, choices) => {
      for (let entity = 0; entity < E; entity++) {
        const choice = choices[entity]!;
        counts.overall.add(choice);
        if (mentionImages[mention]!.length === 0) counts.mentionWithoutImage.add(choice);
        if (entityImages[entity]!.length === 0) counts.entityWithoutImage.add(choice);
      }
    },
  );
  const { overall, mentionWithoutImage, entityWithoutImage } = counts;
  return {
    metrics: metricsOf(ranks),
    ranks,
    picked: {
      overall: overall.percent(),
      mentionWithoutImage: mentionWithoutImage.percent(),
      entityWithoutImage: entityWithoutImage.percent(),
    },
  };
}

/** Counts choices by their expert's name. */
function tally(kinds: readonly string[]) {
  const counts = kinds.map(() => 0);
  return {
    add(choice: number) {
      counts[choice]!++;
    },
    percent(): Picked {
      const total = counts.reduce((sum, n) => sum + n, 0);
      return total === 0
        ? {}
        : Object.fromEntries(kinds.map((kind, i) => [kind, (100 * counts[i]!) / total]));
    },
  };
}
