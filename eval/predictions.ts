// RUN/predictions.jsonl: of each mention of an evaluation where its answer came out and what came out above it.

import type { Dataset, Split } from '../data/dataset.ts';
import { writeFileAtomically } from '../files/atomic-file.ts';
import type { Found } from '../ranking/tile.ts';

/** What an evaluation found, by mention. */
export interface Predictions {
  split: Split;
  /** By system. */
  ranks: Readonly<Record<string, readonly number[]>>;
  /** The system that answers, and its best entities. */
  system: string;
  top: readonly (readonly Found[])[];
  /** Which expert answers for a pair; null where several do. */
  expertOf: (mention: number, entity: number) => string | null;
}

/**
 * Writes a line a mention: {mention, id, word, answer, rank, ranks, expert, top: [{qid, name, score, expert}]}; `expert`
 * is the one that scored the answer. Throws WeightsError when the file cannot be written.
 */
export async function writePredictions(
  path: string,
  { entities, splits }: Dataset,
  { split, ranks, system, top, expertOf }: Predictions,
): Promise<void> {
  const encoder = new TextEncoder();
  await writeFileAtomically(path, async (append) => {
    for (const [mention, { id, word, entity: gold }] of splits[split].entries()) {
      const line = {
        mention,
        id,
        word,
        answer: entities[gold]!.qid,
        rank: ranks[system]![mention]!,
        ranks: Object.fromEntries(Object.entries(ranks).map(([name, all]) => [name, all[mention]!])),
        expert: expertOf(mention, gold),
        top: top[mention]!.map(({ entity, score }) => {
          const { qid, name } = entities[entity]!;
          return { qid, name, score, expert: expertOf(mention, entity) };
        }),
      };
      await append(encoder.encode(`${JSON.stringify(line)}\n`));
    }
  });
}
