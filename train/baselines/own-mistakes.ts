// Hard negatives of a baseline: the entities that it ranks highest for a training mention with its weights of now, but for the
// right one (BLINK's second round, Wu et al. 2020, arXiv:1911.03814).

import type { Session } from '../../link/session.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, prepareSamples, someMentions } from '../../ranking/sources.ts';
import type { HardNegatives } from '../batches.ts';
import type { Hooks } from '../hooks.ts';

/** The `count` wrong entities that a system ranks highest, for the training mentions in `rows`. */
export async function ownMistakes(
  { corpus, features }: Session,
  system: AnyScorer,
  rows: readonly number[],
  count: number,
  { onProgress }: Hooks,
): Promise<HardNegatives> {
  const { entities, mentions, gold } = corpus;
  const prepared = await prepareSamples([system], 'mention', mentions.train, features);
  const { systems } = await rankMentions({
    systems: [system],
    mentions: someMentions(preparedMentions(prepared), rows),
    entities: preparedEntities(await prepareSamples([system], 'entity', entities, features)),
    top: Math.min(count + 1, entities.images.length),
    onProgress: (done) => onProgress?.({ task: 'looking for hard negatives', done, total: 1 }),
  });
  const candidates: number[][] = mentions.train.images.map(() => []);
  for (const [i, row] of rows.entries()) {
    const found = systems[system.name]!.top[i]!.map(({ entity }) => entity);
    candidates[row] = found.filter((entity) => entity !== gold.train[row]).slice(0, count);
  }
  return { candidates, count };
}
