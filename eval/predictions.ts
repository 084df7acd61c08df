// RUN/predictions.jsonl: of each mention of an evaluation where its gold entity came out and what came out above it.

import type { Dataset, Split } from '../data/dataset.ts';
import { writeFileAtomically } from '../files/atomic-file.ts';
import { gateOf } from '../ranking/mixture.ts';
import type { Evaluation } from './evaluation.ts';
import { withNames } from './results.ts';

/**
 * Writes a line a mention: {mention, id, kind if it has one, word, answer, rank, ranks, expert, top: [{qid, name, score,
 * expert}]}, by the last system of the last evaluation, the one that answers, with names where they count; `ranks` has
 * those of all. `expert` is the part that scored the
 * answer, null where several did. Throws WeightsError when the file cannot be written.
 */
export async function writePredictions(
  path: string,
  { entities, splits }: Dataset,
  split: Split,
  evaluations: readonly Evaluation[],
): Promise<void> {
  const { task, result } = evaluations.at(-1)!;
  const system = task.pass.systems.at(-1)!;
  const answering = result.systems[withNames(system.name)] ? withNames(system.name) : system.name;
  const { ranks: answers, top } = result.systems[answering]!;
  const ranks = evaluations.flatMap(({ result }) =>
    Object.entries(result.systems).map(([name, { ranks }]) => [name, ranks] as const),
  );
  const isGated = gateOf(system) !== null;
  // A system that is no mixture is its own only part.
  const alone = result.pairs.computed[system.name] === undefined ? null : system.name;
  const encoder = new TextEncoder();
  await writeFileAtomically(path, async (append) => {
    for (const [mention, { id, kind, word, entity: gold }] of splits[split].entries()) {
      const line = {
        mention,
        id,
        ...(kind ? { kind } : {}),
        word,
        answer: entities[gold]!.qid,
        rank: answers[mention]!,
        ranks: Object.fromEntries(ranks.map(([name, all]) => [name, all[mention]!])),
        expert: isGated ? result.choices!.gold[mention]! : alone,
        top: top[mention]!.map(({ entity, score, part }) => {
          const { qid, name } = entities[entity]!;
          return { qid, name, score, expert: part ?? alone };
        }),
      };
      await append(encoder.encode(`${JSON.stringify(line)}\n`));
    }
  });
}
