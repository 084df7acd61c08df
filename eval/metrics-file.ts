// RUN/metrics.json: how an evaluation came out. results.ts reads it.

import type { Split } from '../data/dataset.ts';
import { writeFileAtomically } from '../files/atomic-file.ts';
import { pickedBy, pickedForGold, sharesBy } from '../link/gate-choices.ts';
import type { Session } from '../link/session.ts';
import type { Metrics } from '../ranking/metrics.ts';
import { gateOf } from '../ranking/mixture.ts';
import type { Evaluation, Retrieval } from './evaluation.ts';
import { metricsVersion } from './results.ts';

/**
 * Writes {version, split, mentions, entities, systems: {SYSTEM: metrics}, gate: {form, by, experts, picked} or null, candidates if
 * there were some, parameters, seconds, pairs, device}; percentages from 0 to 100. `parameters`: trained numbers by what has
 * them. Throws WeightsError when it cannot.
 */
export async function writeMetrics(
  path: string,
  { corpus, device }: Session,
  parameters: Readonly<Record<string, number>>,
  split: Split,
  evaluations: readonly Evaluation[],
  retrieval: Retrieval | null,
): Promise<void> {
  const results = {
    version: metricsVersion,
    split,
    mentions: corpus.gold[split].length,
    entities: corpus.entities.tokens.count,
    systems: Object.assign({}, ...evaluations.map(({ metrics }) => metrics)) as Record<string, Metrics>,
    gate: gateResults(evaluations),
    ...(retrieval
      ? { candidates: { count: retrieval.candidates.count, recall: retrieval.recall, by: retrieval.by } }
      : {}),
    parameters,
    seconds: Object.fromEntries(evaluations.map(({ task, seconds }) => [task.name, seconds])),
    /** Pairs that were ranked, and by part those for which it was computed. */
    pairs: Object.fromEntries(evaluations.map(({ task, result }) => [task.name, result.pairs])),
    device: device.description,
  };
  const text = `${JSON.stringify(results, null, 2)}\n`;
  await writeFileAtomically(path, (append) => append(new TextEncoder().encode(text)));
}

/** What the gate picked, in percent: of all pairs, without images, of mentions with their gold entities. */
function gateResults(evaluations: readonly Evaluation[]) {
  const gated = evaluations.find(({ result }) => result.choices !== null);
  if (!gated) return mixtureResults(evaluations);
  const { task, result } = gated;
  const choices = result.choices!;
  const gate = task.pass.systems.map(gateOf).find((found) => found !== null)!;
  return {
    form: 'choice',
    by: gate.by,
    experts: choices.parts,
    picked: { ...pickedBy(choices, task.hasNoImage), gold: pickedForGold(choices) },
  };
}

/** The same of a gate that gives shares: their means. */
function mixtureResults(evaluations: readonly Evaluation[]) {
  for (const { task, result } of evaluations) {
    const shares = result.systems['dsmip']?.shares;
    if (shares) {
      return {
        form: 'mixture',
        by: 'mention',
        experts: shares.parts,
        picked: sharesBy(shares, task.hasNoImage),
      };
    }
  }
  return null;
}
