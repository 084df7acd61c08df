// What training left in a run's folder, loaded: the experts as stage 1 made them, and DSMIP with the scoring units of
// stage 2 where there is a gate.

import type { Tensor } from '../engine/tensor.ts';
import { contentStamp } from '../files/content-stamp.ts';
import { UsageError, WeightsError } from '../files/errors.ts';
import { hashOf } from '../files/fingerprint.ts';
import { isThere, isUrl, locate } from '../files/locate.ts';
import { loadParameters, readAbout } from '../model/checkpoint.ts';
import { loadClip } from '../model/clip/load-clip.ts';
import { Dsmip } from '../model/dsmip/dsmip-model.ts';
import { Expert } from '../model/dsmip/expert-model.ts';
import { allExpertKinds, type ExpertKind } from '../model/dsmip/experts.ts';
import { confidenceWidth } from '../model/dsmip/gating/confidence.ts';
import { ExpertMixture } from '../model/dsmip/gating/expert-mixture.ts';
import type { GatedExperts } from '../model/dsmip/gating/gate-forms.ts';
import { gateWidth, readColumns, readStatistics } from '../model/dsmip/gating/gate-inputs.ts';
import { openSafetensors, type Safetensors } from '../weights/safetensors.ts';
import { checkInputs, type ModelBase } from './model-base.ts';
import { trainedExpertShape, trainedGateShape } from './trained-shapes.ts';

export interface Trained {
  experts: Expert[];
  dsmip: GatedExperts | null;
}

/** Loads all experts and DSMIP of a run; none for a folder without. Throws WeightsError for files that are damaged or foreign. */
export async function loadTrained(base: ModelBase, folder: string): Promise<Trained> {
  const experts = await loadExperts(base, folder, await trainedKinds(folder));
  return { experts, dsmip: await loadDsmip(base, folder) };
}

/** The kinds of experts that a run has. */
export async function trainedKinds(folder: string): Promise<ExpertKind[]> {
  const kinds: ExpertKind[] = [];
  for (const kind of allExpertKinds) if (await isThere(bestFile(folder, kind))) kinds.push(kind);
  return kinds;
}

/**
 * Experts of a run at their best epochs, as stage 1 left them. Throws WeightsError for a file that is missing, damaged, or
 * made of another data set or CLIP, UsageError for an expert that does not exist.
 */
export async function loadExperts(
  base: ModelBase,
  folder: string,
  kinds: readonly string[],
): Promise<Expert[]> {
  const experts: Expert[] = [];
  for (const name of kinds) {
    const kind = allExpertKinds.find((known) => known === name);
    if (!kind || kinds.indexOf(name) !== experts.length) {
      throw new UsageError(`experts ${kinds}: expected some of ${allExpertKinds.join(',')}, each once`);
    }
    experts.push(await loadExpert(base, bestFile(folder, kind), kind));
  }
  return experts;
}

async function loadExpert(base: ModelBase, path: string, kind: ExpertKind): Promise<Expert> {
  const about = await readAbout(path);
  checkInputs(path, about, base);
  const { shape, hasOwnClip } = trainedExpertShape(path, about.config);
  const clip = hasOwnClip ? await loadClip(base.device, base.clip.folder, { trainable: true }) : base.clip;
  const expert = new Expert(base.device, kind, clip, shape, null);
  await loadParameters(path, expert.trained);
  return expert;
}

/**
 * Loads DSMIP; null for a run without a gate. Throws WeightsError for files that are damaged, made of other data, or that
 * do not belong together: a gate is only good for the experts that it was trained with.
 */
export async function loadDsmip(base: ModelBase, folder: string): Promise<GatedExperts | null> {
  const file = bestFile(folder, 'gate');
  if (!(await isThere(file))) return null;
  const about = await readAbout(file);
  checkInputs(file, about, base);
  const { shape, form, experts: kinds } = trainedGateShape(file, about.config);
  const experts = await loadExperts(base, folder, kinds);
  if (!isUrl(folder) && about.madeFrom['expertFiles'] !== (await expertsFingerprint(folder, kinds))) {
    throw new WeightsError(
      `${file}: was trained with other experts (${kinds.join(', ')}) than the run has now; train the gate again`,
    );
  }
  const { vgg } = about.madeFrom;
  if (!isUrl(folder) && shape.image === 'vgg' && vgg !== (await contentStamp(shape.vgg))) {
    throw new WeightsError(
      `${file}: was trained with another VGG16 than ${shape.vgg} is; train the gate again`,
    );
  }
  if (form === 'mixture') {
    const statistics = await inFile(file, (weights) =>
      readColumns(weights, 'mention', confidenceWidth(experts.length)),
    );
    const mixture = new ExpertMixture(base.device, experts, shape, statistics, null);
    await loadParameters(file, mixture.gate);
    return mixture;
  }
  const width = gateWidth(base.clip, shape.image);
  const statistics = await inFile(file, (weights) => readStatistics(weights, width));
  const dsmip = new Dsmip(base, experts, shape, statistics, null);
  await loadParameters(file, new Map([...dsmip.units, ...dsmip.gate]));
  return dsmip;
}

async function inFile<T>(path: string, read: (file: Safetensors) => Promise<T>): Promise<T> {
  const file = await openSafetensors(path);
  return read(file).finally(() => file.close());
}

/** Hash of the checkpoints of experts: a gate belongs to these only. */
export async function expertsFingerprint(folder: string, kinds: readonly string[]): Promise<string> {
  return hashOf(await Promise.all(kinds.map((kind) => contentStamp(bestFile(folder, kind)))));
}

/** Trained numbers of what there is, by the experts' names and 'gate'. */
export function parameterCounts(
  experts: readonly Expert[],
  dsmip: GatedExperts | null,
): Record<string, number> {
  return {
    ...Object.fromEntries(experts.map(({ kind, trained }) => [kind, sizeOf(trained)])),
    ...(dsmip ? { gate: sizeOf(dsmip.gate) } : {}),
  };
}

/** Numbers in some tensors. */
export function sizeOf(tensors: ReadonlyMap<string, Tensor>): number {
  return [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
}

/** Hash of checkpoints, by the folders' names, and of CLIP; null where one of them is at an address, and is not read twice. */
export async function fileFingerprint(
  { features }: ModelBase,
  folder: string,
  names: readonly string[],
): Promise<string | null> {
  if (isUrl(folder) || features.clipHash === '') return null;
  const stamps = await Promise.all(names.map((name) => contentStamp(bestFile(folder, name))));
  return hashOf([features.clipHash, ...names, ...stamps]);
}

/** Where a run keeps the best epoch of what is trained under a name. */
export function bestFile(folder: string, name: string): string {
  return locate(locate(folder, name), 'best.safetensors');
}
