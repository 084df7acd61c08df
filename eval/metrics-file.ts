// RUN/metrics.json: how an evaluation came out. results.ts reads it.

import type { Split } from '../data/dataset.ts';
import type { Tensor } from '../engine/tensor.ts';
import { writeFileAtomically } from '../files/atomic-file.ts';
import { percents, pickedBy } from '../link/dsmip-split.ts';
import type { Session } from '../link/session.ts';
import type { Trained } from '../link/trained.ts';
import type { Metrics } from '../ranking/metrics.ts';
import type { PassResult } from '../ranking/scoring-pass.ts';
import { pick } from '../ranking/tile.ts';
import type { Outcome, Retrieval } from './hold.ts';
import type { Contest } from './ranking-task.ts';

/**
 * Writes {split, mentions, entities, systems: {SYSTEM: metrics}, gate: {by, experts, picked} or null, candidates if there
 * were some, parameters, seconds, pairs, device}; percentages from 0 to 100. Throws WeightsError when it cannot.
 */
export async function writeMetrics(
  path: string,
  { corpus, device }: Session,
  { experts, dsmip }: Trained,
  split: Split,
  outcomes: readonly Outcome[],
  retrieval: Retrieval | null,
): Promise<void> {
  const parameters: Record<string, number> = {};
  for (const { kind, trained } of experts) parameters[kind] = sizeOf(trained);
  if (dsmip) parameters['gate'] = sizeOf(dsmip.gate);
  const results = {
    split,
    mentions: corpus.answers[split].length,
    entities: corpus.entities.tokens.count,
    systems: Object.assign({}, ...outcomes.map(({ metrics }) => metrics)) as Record<string, Metrics>,
    gate: gateOf(corpus, split, outcomes),
    ...(retrieval
      ? { candidates: { count: retrieval.candidates.count, recall: retrieval.recall, by: retrieval.by } }
      : {}),
    parameters,
    seconds: Object.fromEntries(outcomes.map(({ contest, seconds }) => [contest.name, seconds])),
    pairs: Object.fromEntries(
      outcomes.map(({ contest, result }) => [contest.name, pairsOf(contest, result)]),
    ),
    device: device.description,
  };
  const text = `${JSON.stringify(results, null, 2)}\n`;
  await writeFileAtomically(path, (append) => append(new TextEncoder().encode(text)));
}

/** What the gate picked, in percent: of all pairs, without images, of mentions with their answers. */
function gateOf(corpus: Session['corpus'], split: Split, outcomes: readonly Outcome[]) {
  const outcome = outcomes.find(({ contest }) => contest.dsmip !== null);
  if (!outcome) return null;
  const { pass, dsmip } = outcome.contest;
  const golds = kindCounts(pass.kinds.length, corpus.answers[split], (mention, entity) =>
    pick(pass, mention, entity),
  );
  const gold = percents(pass.kinds, golds);
  const picked = { ...pickedBy(corpus, split, pass.kinds, outcome.result), gold };
  return { by: dsmip!.by, experts: pass.kinds, picked };
}

function kindCounts(kinds: number, golds: Int32Array, pickOf: (mention: number, gold: number) => number) {
  const counts = new Array<number>(kinds).fill(0);
  golds.forEach((gold, mention) => {
    counts[pickOf(mention, gold)]!++;
  });
  return counts;
}

/** Pairs that were ranked, and for how many of them each expert was asked. */
function pairsOf({ pass }: Contest, { pairs }: PassResult) {
  return {
    ranked: pairs.ranked,
    computed: Object.fromEntries(pass.kinds.map((kind, i) => [kind, pairs.computed[i]!])),
  };
}

function sizeOf(tensors: ReadonlyMap<string, Tensor>): number {
  return [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
}
