// Ranks a split by every system that a contender gives: a baseline by itself; a reranker after its first stage; of DSMIP each expert alone, what those of the
// gate give together without it, and DSMIP.

import { firstStages } from '../../link/baselines/first-stage.ts';
import { loadReranker } from '../../link/baselines/trained-rerankers.ts';
import { loadLinkingModel } from '../../link/linking-model.ts';
import type { Session } from '../../link/session.ts';
import { type PreparedSplit, prepareSplit } from '../../link/split.ts';
import { loadExperts, parameterCounts, sizeOf } from '../../link/trained.ts';
import { trainedTensors } from '../../model/baselines/baseline.ts';
import { expertKinds } from '../../model/dsmip/experts.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import { rankTwoStages } from '../../ranking/two-stages.ts';
import type { Preset } from '../../train/config/presets.ts';
import type { Hooks } from '../../train/hooks.ts';
import { fixedCombinations } from '../evaluate.ts';
import { titleOf } from '../results.ts';
import type { Contender } from './contenders.ts';
import type { RowResults } from './kept-results.ts';
import { type Measured, measure } from './measure.ts';

/** What all contenders are compared on. */
export interface Ground {
  session: Session;
  preset: Preset;
  split: 'dev' | 'test';
}

/** A system that was ranked: a row of the tables. */
export interface Ranked {
  name: string;
  title: string;
  /** The trainings that made it, by name. */
  trainings: readonly string[];
  /** Trained numbers. */
  parameters: number;
  /** Of a reranker: percent of mentions whose gold entity is among its candidates. */
  recall: number | null;
  measured: Measured;
}

/**
 * `run`: where the contender was trained; null for one without training. `first`: what the first stage of a reranker came to.
 * Throws WeightsError, and the signal's reason.
 */
export function rankContender(
  ground: Ground,
  contender: Contender,
  run: string | null,
  first: RowResults | null,
  hooks: Hooks,
): Promise<Ranked[]> {
  if (first) return rerankedRow(ground, contender, run!, first);
  if (contender.system !== null) return baselineRow(ground, contender, run, hooks);
  return dsmipRows(ground, run!, hooks);
}

async function baselineRow(
  ground: Ground,
  { name, title, system }: Contender,
  run: string | null,
  hooks: Hooks,
): Promise<Ranked[]> {
  const model = await loadLinkingModel(ground.session, run, system);
  try {
    const prepared = await prepareSplit(ground.session, [model.scorer], ground.split);
    const measured = await ranked(ground, model.scorer, prepared, hooks);
    const trainings = run === null ? [] : [system!];
    return [{ name, title, trainings, parameters: total(model.parameters), recall: null, measured }];
  } finally {
    model.release();
  }
}

/** The first stage's costs with those of putting its candidates in order; both keep the same index. */
async function rerankedRow(
  { session, split }: Ground,
  { name, title, system, firstStage }: Contender,
  run: string,
  before: RowResults,
): Promise<Ranked[]> {
  const { device, corpus, features } = session;
  const { reranker, first, release } = await loadReranker(session, run, system!);
  try {
    const stages = await firstStages(session, first.baseline, [split], reranker.candidates, features);
    const [mentions, gold] = [corpus.mentions[split], corpus.gold[split]];
    const task = { mentions, entities: corpus.entities, features, gold, top: 0 };
    device.resetPeak();
    const start = performance.now();
    const { ranks, recall } = await rankTwoStages(reranker, stages[split], task);
    const seconds = (performance.now() - start) / 1000;
    const { encode, rank } = before.seconds;
    return [
      {
        name,
        title,
        trainings: [firstStage!, system!],
        parameters: before.parameters + sizeOf(trainedTensors(reranker)),
        recall,
        measured: {
          ranks,
          seconds: { encode, rank: rank + seconds },
          peakBytes: Math.max(before.peakBytes.rank, device.counters.peakBytes),
          bytesPerEntity: before.bytesPerEntity,
        },
      },
    ];
  } finally {
    release();
  }
}

async function dsmipRows(ground: Ground, run: string, hooks: Hooks): Promise<Ranked[]> {
  const { session, preset, split } = ground;
  const rows: Ranked[] = [];
  const add = async (scorer: AnyScorer, trainings: string[], parameters: number, prepared: PreparedSplit) => {
    const measured = await ranked(ground, scorer, prepared, hooks);
    const { name } = scorer;
    rows.push({ name, title: titleOf(name), trainings, parameters, recall: null, measured });
  };
  const experts = await loadExperts(session, run, expertKinds);
  try {
    const counts = parameterCounts(experts, null);
    const prepared = await prepareSplit(session, experts, split);
    for (const expert of experts) await add(expert, [expert.kind], counts[expert.kind]!, prepared);
    const chosen = experts.filter(({ kind }) => preset.gate.experts.includes(kind));
    const kinds = chosen.map(({ kind }) => kind);
    const parameters = kinds.reduce((sum, kind) => sum + counts[kind]!, 0);
    for (const scorer of await fixedCombinations(session, chosen)) {
      await add(scorer, kinds, parameters, prepared);
    }
  } finally {
    for (const { trained } of experts) for (const tensor of trained.values()) tensor.release();
  }
  const { scorer, parameters, release } = await loadLinkingModel(session, run, 'dsmip');
  try {
    const prepared = await prepareSplit(session, [scorer], split);
    await add(scorer, Object.keys(parameters), total(parameters), prepared);
  } finally {
    release();
  }
  return rows;
}

async function ranked(
  { session, preset }: Ground,
  scorer: AnyScorer,
  prepared: PreparedSplit,
  { signal, onProgress, onWarning }: Hooks,
): Promise<Measured> {
  signal?.throwIfAborted();
  const measured = await measure(session, scorer, prepared, (done) =>
    onProgress?.({ task: 'scoring', done, total: 1 }),
  );
  for (const line of session.features.source.takeProblems(preset.data.folder)) onWarning?.(line);
  return measured;
}

function total(parameters: Readonly<Record<string, number>>): number {
  return Object.values(parameters).reduce((sum, count) => sum + count, 0);
}
