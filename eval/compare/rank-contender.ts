// Ranks a split by every system that a contender gives: a baseline by itself; of DSMIP each expert alone, what those of the
// gate give together without it, and DSMIP.

import { loadLinkingModel } from '../../link/linking-model.ts';
import type { Session } from '../../link/session.ts';
import { type PreparedSplit, prepareSplit } from '../../link/split.ts';
import { loadExperts, parameterCounts } from '../../link/trained.ts';
import { expertKinds } from '../../model/dsmip/experts.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import type { Preset } from '../../train/config/presets.ts';
import type { Hooks } from '../../train/hooks.ts';
import { fixedCombinations } from '../evaluate.ts';
import { titleOf } from '../results.ts';
import type { Contender } from './contenders.ts';
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
  measured: Measured;
}

/** `run`: where the contender was trained; null for one without training. Throws WeightsError, and the signal's reason. */
export function rankContender(
  ground: Ground,
  contender: Contender,
  run: string | null,
  hooks: Hooks,
): Promise<Ranked[]> {
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
    return [{ name, title, trainings, parameters: total(model.parameters), measured }];
  } finally {
    model.release();
  }
}

async function dsmipRows(ground: Ground, run: string, hooks: Hooks): Promise<Ranked[]> {
  const { session, preset, split } = ground;
  const rows: Ranked[] = [];
  const add = async (scorer: AnyScorer, trainings: string[], parameters: number, prepared: PreparedSplit) => {
    const measured = await ranked(ground, scorer, prepared, hooks);
    rows.push({ name: scorer.name, title: titleOf(scorer.name), trainings, parameters, measured });
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
