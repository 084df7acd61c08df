// What training left in a run's folder, loaded: the experts as stage 1 made them, and DSMIP with the scoring units of
// stage 2 where there is a gate.

import type { FeatureOptions } from '../encoding/features.ts';
import type { Device } from '../engine/device.ts';
import { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { contentStamp } from '../files/content-stamp.ts';
import { UsageError, WeightsError } from '../files/errors.ts';
import { hashOf } from '../files/fingerprint.ts';
import { isThere, locate } from '../files/locate.ts';
import { loadParameters, readAbout } from '../model/checkpoint.ts';
import { type LoadedClip, loadClip } from '../model/clip/load-clip.ts';
import { Dsmip, type DsmipShape } from '../model/dsmip/dsmip-model.ts';
import { Expert } from '../model/dsmip/expert-model.ts';
import { type ExpertKind, expertKinds } from '../model/dsmip/experts.ts';
import { gateWidth, readStatistics } from '../model/dsmip/gate-inputs.ts';
import { openSafetensors } from '../weights/safetensors.ts';

/** What models are loaded on. */
export interface ModelSession {
  device: Device;
  clip: LoadedClip;
  features: Pick<FeatureOptions, 'clipHash'>;
  /** What the data set and the CLIP are known by; null without a data set: then nothing is held against it. */
  inputs: string | null;
}

export interface Trained {
  experts: Expert[];
  dsmip: Dsmip | null;
}

/**
 * Loads all of a run. Throws UsageError for a folder without experts, WeightsError for files that are damaged or foreign.
 */
export async function loadTrained(session: ModelSession, folder: string): Promise<Trained> {
  const experts = await loadExperts(session, folder, await trainedKinds(folder));
  return { experts, dsmip: await loadDsmip(session, folder) };
}

/** The kinds of experts that a run has. Throws UsageError for none. */
export async function trainedKinds(folder: string): Promise<ExpertKind[]> {
  const kinds: ExpertKind[] = [];
  for (const kind of expertKinds) if (await isThere(best(folder, kind))) kinds.push(kind);
  if (kinds.length === 0) {
    throw new UsageError(`${folder}: no EXPERT/best.safetensors; train an expert there first`);
  }
  return kinds;
}

/**
 * Experts of a run at their best epochs, as stage 1 left them. Throws WeightsError for a file that is missing, damaged, or
 * made of another data set or CLIP, UsageError for an expert that does not exist.
 */
export async function loadExperts(
  session: ModelSession,
  folder: string,
  kinds: readonly string[],
): Promise<Expert[]> {
  const experts: Expert[] = [];
  for (const name of kinds) {
    const kind = expertKinds.find((known) => known === name);
    if (!kind || kinds.indexOf(name) !== experts.length) {
      throw new UsageError(`experts ${kinds}: expected some of ${expertKinds.join(',')}, each once`);
    }
    experts.push(await loadExpert(session, best(folder, kind), kind));
  }
  return experts;
}

async function loadExpert(session: ModelSession, path: string, kind: ExpertKind): Promise<Expert> {
  const { settings } = await readAbout(path);
  if (session.inputs !== null && settings['inputs'] !== session.inputs) {
    throw new WeightsError(`${path}: was trained on another data set or with another CLIP`);
  }
  const finetuned = settings['finetune-encoder'] === true;
  const clip = finetuned
    ? await loadClip(session.device, session.clip.folder, { trainable: true })
    : session.clip;
  const isPlain = finetuned || settings['no-prompts'] === true;
  const shape = {
    hidden: Number(settings['hidden']),
    prompts: {
      length: Number(settings['prompt-length']),
      depth: isPlain ? 0 : Number(settings['prompt-depth']),
    },
  };
  const expert = new Expert(session.device, kind, clip, shape, new Random(0));
  await loadParameters(path, expert.trained);
  return expert;
}

/**
 * Loads DSMIP; null for a run without a gate. Throws WeightsError for files that are damaged, made of other data, or that
 * do not belong together: a gate is only good for the experts that it was trained with.
 */
export async function loadDsmip(session: ModelSession, folder: string): Promise<Dsmip | null> {
  const file = best(folder, 'gate');
  if (!(await isThere(file))) return null;
  const { settings } = await readAbout(file);
  if (session.inputs !== null && settings['inputs'] !== session.inputs) {
    throw new WeightsError(`${file}: was trained on another data set or with another CLIP`);
  }
  const kinds = String(settings['experts']).split(',');
  const experts = await loadExperts(session, folder, kinds);
  if (settings['expert files'] !== (await expertsFingerprint(folder, kinds))) {
    throw new WeightsError(
      `${file}: was trained with other experts (${kinds.join(', ')}) than the run has now; train the gate again`,
    );
  }
  const shape = settings as unknown as DsmipShape;
  const width = gateWidth(session.clip, shape['gate-image']);
  const weights = await openSafetensors(file);
  const statistics = await readStatistics(weights, width).finally(() => weights.close());
  const dsmip = new Dsmip(session, experts, shape, statistics, new Random(0));
  await loadParameters(file, new Map([...dsmip.units, ...dsmip.gate]));
  return dsmip;
}

/** Hash of the checkpoints of experts: a gate belongs to these only. */
export async function expertsFingerprint(folder: string, kinds: readonly string[]): Promise<string> {
  return hashOf(await Promise.all(kinds.map((kind) => contentStamp(best(folder, kind)))));
}

/** Trained numbers of what there is, by the experts' names and 'gate'. */
export function parameterCounts(experts: readonly Expert[], dsmip: Dsmip | null): Record<string, number> {
  const sizeOf = (tensors: ReadonlyMap<string, Tensor>) =>
    [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
  return {
    ...Object.fromEntries(experts.map(({ kind, trained }) => [kind, sizeOf(trained)])),
    ...(dsmip ? { gate: sizeOf(dsmip.gate) } : {}),
  };
}

/** Hash of checkpoints, by the folders' names, and of CLIP. */
export async function fileFingerprint(
  { features }: ModelSession,
  folder: string,
  names: readonly string[],
): Promise<string> {
  const stamps = await Promise.all(names.map((name) => contentStamp(best(folder, name))));
  return hashOf([features.clipHash, ...names, ...stamps]);
}

function best(folder: string, name: string): string {
  return locate(locate(folder, name), 'best.safetensors');
}
