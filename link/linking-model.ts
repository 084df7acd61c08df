// What answers when one answer is wanted: DSMIP or an expert of a run, or a baseline.

import { UsageError } from '../files/errors.ts';
import { hashOf } from '../files/fingerprint.ts';
import { isThere } from '../files/locate.ts';
import { baselines, findBaseline } from '../model/baselines/registry.ts';
import { allExpertKinds } from '../model/dsmip/experts.ts';
import type { GatedExperts } from '../model/dsmip/gating/gate-forms.ts';
import type { AnyScorer } from '../ranking/scorer.ts';
import { loadBaseline } from './baselines/trained-baselines.ts';
import type { ModelBase } from './model-base.ts';
import {
  bestFile,
  fileFingerprint,
  loadDsmip,
  loadExperts,
  parameterCounts,
  sizeOf,
  trainedKinds,
} from './trained.ts';

/** DSMIP with its experts, one expert, or a baseline. */
export interface LinkingModel {
  scorer: AnyScorer;
  /** Hash of all that decides what it makes of an entity: its checkpoints and CLIP; null where these are at an address. */
  fingerprint: string | null;
  /** Trained numbers by what has them. */
  parameters: Readonly<Record<string, number>>;
  /** Releases its weights; CLIP's stay, unless it has its own. */
  release(): void;
}

/** The systems that can be asked for by name. */
export const linkingSystems: readonly string[] = ['dsmip', ...allExpertKinds, ...Object.keys(baselines)];

/** Whether a system, null for the usual one, is in a run; else it is used as it comes. */
export function needsRun(system: string | null): boolean {
  return system === null || findBaseline(system)?.recipe !== null;
}

/** The folder that a system's calibration is in: its run's, or the CLIP's of a system that is used as it comes. */
export function calibrationFolder(system: string, run: string | null, clip: string): string {
  return run === null || !needsRun(system) ? clip : run;
}

/**
 * Loads the system of this name; for null DSMIP where the run has a gate, else its multimodal, text or visual expert, the
 * first that there is. `run` may be null for a baseline that needs no training. Loads nothing that does not answer. Throws
 * UsageError for a name that there is not and for a run that does not have the system, WeightsError and InputError for files
 * that are damaged or foreign.
 */
export async function loadLinkingModel(
  base: ModelBase,
  run: string | null,
  system: string | null = null,
): Promise<LinkingModel> {
  if (system !== null && !linkingSystems.includes(system)) {
    throw new UsageError(`system ${system}: expected one of ${linkingSystems.join(', ')}`);
  }
  if (system !== null && findBaseline(system)) return baselineModel(base, run, system);
  if (run === null) throw new UsageError(`${system ?? 'a trained system'}: expected the run that it is in`);
  const name = system ?? (await usualSystem(run));
  if (!(await isThere(bestFile(run, name === 'dsmip' ? 'gate' : name)))) {
    const what = name === 'dsmip' ? 'gate' : name;
    throw new UsageError(`${run}: no ${what}/best.safetensors: ${name} has to be trained there first`);
  }
  return name === 'dsmip' ? dsmipModel(base, run) : expertModel(base, run, name);
}

/** What answers in a run unless a system is named. */
async function usualSystem(run: string): Promise<string> {
  if (await isThere(bestFile(run, 'gate'))) return 'dsmip';
  const kinds = await trainedKinds(run);
  const best = (['multimodal', 'text', 'visual'] as const).find((kind) => kinds.includes(kind));
  if (best) return best;
  const untrained = Object.keys(baselines).filter((name) => baselines[name]!.recipe === null);
  throw new UsageError(
    `${run}: no EXPERT/best.safetensors; train an expert there first, or name a system that is not trained (${untrained})`,
  );
}

async function dsmipModel(base: ModelBase, run: string): Promise<LinkingModel> {
  const dsmip = (await loadDsmip(base, run))!;
  return {
    scorer: dsmip.scorer,
    fingerprint: await dsmipFingerprint(base, run, dsmip),
    parameters: parameterCounts(dsmip.experts, dsmip),
    release() {
      for (const { trained } of dsmip.experts) for (const tensor of trained.values()) tensor.release();
      for (const tensor of dsmip.gate.values()) tensor.release();
    },
  };
}

/** What tells a run's DSMIP from another: see `LinkingModel.fingerprint`. */
export function dsmipFingerprint(
  base: ModelBase,
  run: string,
  { experts }: Pick<GatedExperts, 'experts'>,
): Promise<string | null> {
  return fileFingerprint(base, run, [...experts.map(({ kind }) => kind), 'gate']);
}

async function expertModel(base: ModelBase, run: string, kind: string): Promise<LinkingModel> {
  const [expert] = await loadExperts(base, run, [kind]);
  return {
    scorer: expert!,
    fingerprint: await fileFingerprint(base, run, [kind]),
    parameters: parameterCounts([expert!], null),
    release() {
      for (const tensor of expert!.trained.values()) tensor.release();
    },
  };
}

async function baselineModel(base: ModelBase, run: string | null, name: string): Promise<LinkingModel> {
  const { baseline, release } = await loadBaseline(base, run, name);
  const { decayed, others } = baseline.groups;
  const isTrained = needsRun(name);
  return {
    scorer: baseline,
    fingerprint: isTrained
      ? await fileFingerprint(base, run!, [name])
      : base.features.clipHash === ''
        ? null
        : hashOf([base.features.clipHash, name]),
    parameters: isTrained ? { [name]: sizeOf(decayed) + sizeOf(others) } : {},
    release,
  };
}
