// RUN/metrics.json: how an evaluation came out. results.ts reads it.

import { type Mention, mentionKinds, type Split } from '../data/entity-mention.ts';
import { writeTextAtomically } from '../files/atomic-file.ts';
import { checkedJson } from '../files/json/checked-json.ts';
import {
  choicesFor,
  type PickedBy,
  pickedBy,
  pickedForGold,
  sharesBy,
  sharesFor,
} from '../link/gate-choices.ts';
import type { Session } from '../link/session.ts';
import { type Metrics, metricsOf } from '../ranking/metrics.ts';
import { gateOf } from '../ranking/mixture.ts';
import type { Evaluation, Retrieval } from './evaluation.ts';
import { type KindResults, metricsVersion, type Results } from './results.ts';

/**
 * Writes {version, split, mentions, entities, systems: {SYSTEM: metrics}, kinds: {KIND: {mentions, systems, picked}},
 * gate: {form, by, experts, picked} or null, confidence: {SYSTEM: how good its probabilities are}, candidates if
 * there were some, parameters, seconds, pairs, device, madeFrom, predictions}; percentages from 0 to 100. `parameters`: trained
 * numbers by what has them; `origin`: hashes of what was evaluated and of what was written with it. Throws WeightsError when it
 * cannot.
 */
export async function writeMetrics(
  path: string,
  { corpus, dataset, device }: Session,
  parameters: Readonly<Record<string, number>>,
  split: Split,
  evaluations: readonly Evaluation[],
  retrieval: Retrieval | null,
  origin: Pick<Results, 'madeFrom' | 'predictions'>,
): Promise<void> {
  const results = {
    version: metricsVersion,
    split,
    mentions: corpus.gold[split].length,
    entities: corpus.entities.tokens.count,
    systems: Object.assign({}, ...evaluations.map(({ metrics }) => metrics)) as Record<string, Metrics>,
    kinds: kindResults(dataset.splits[split], evaluations),
    gate: gateResults(evaluations),
    confidence: Object.assign({}, ...evaluations.map(({ confidence }) => confidence)) as object,
    ...(retrieval
      ? { candidates: { count: retrieval.count, recall: retrieval.recall, by: retrieval.by } }
      : {}),
    parameters,
    seconds: Object.fromEntries(evaluations.map(({ task, seconds }) => [task.name, seconds])),
    /** Pairs that were ranked, and by part those for which it was computed. */
    pairs: Object.fromEntries(evaluations.map(({ task, result }) => [task.name, result.pairs])),
    device: device.description,
    ...origin,
  };
  await writeTextAtomically(path, checkedJson(results, 2));
}

/** The metrics and the gate's choices by kind of mentions, for the kinds that there are. */
function kindResults(
  mentions: readonly Mention[],
  evaluations: readonly Evaluation[],
): Partial<Record<string, KindResults>> {
  return Object.fromEntries(
    mentionKinds.flatMap((kind) => {
      const own = mentions.flatMap((mention, i) => (mention.kind === kind ? [i] : []));
      if (own.length === 0) return [];
      const systems = evaluations.flatMap(({ result }) =>
        Object.entries(result.systems).map(
          ([name, { ranks }]) => [name, metricsOf(own.map((i) => ranks[i]!))] as const,
        ),
      );
      const found: KindResults = {
        mentions: own.length,
        systems: Object.fromEntries(systems),
        picked: pickedFor(evaluations, own),
      };
      return [[kind, found]];
    }),
  );
}

/** What the gate picked for some of the mentions, or the shares that it gave; null without one. */
function pickedFor(evaluations: readonly Evaluation[], own: readonly number[]): PickedBy | null {
  for (const { task, result } of evaluations) {
    const hasNoImage = Uint8Array.from(own, (i) => task.hasNoImage[i]!);
    const shares = result.systems['dsmip']?.shares;
    if (result.choices) return pickedBy(choicesFor(result.choices, own), hasNoImage);
    if (shares) return sharesBy(sharesFor(shares, own), hasNoImage);
  }
  return null;
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
