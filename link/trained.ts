// What training left in a run's folder, loaded: the experts as stage 1 made them, and DSMIP with the scoring units of
// stage 2 where there is a gate.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { UsageError, WeightsError } from '../files/errors.ts';
import { hashOf } from '../files/fingerprint.ts';
import { loadParameters, readAbout } from '../model/checkpoint.ts';
import { Dsmip, type DsmipShape, pretrained } from '../model/dsmip/dsmip-model.ts';
import type { Expert } from '../model/dsmip/expert-model.ts';
import { type ExpertKind, expertKinds } from '../model/dsmip/experts.ts';
import { gateWidth, readStatistics } from '../model/dsmip/gate-inputs.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { Session } from './session.ts';

export interface Trained {
  experts: Expert[];
  dsmip: Dsmip | null;
}

/**
 * Loads all of a run. Throws UsageError for a folder without experts, WeightsError for files that are damaged or foreign.
 */
export async function loadTrained(session: Session, folder: string): Promise<Trained> {
  const experts = await loadExperts(session, folder, trainedKinds(folder));
  return { experts, dsmip: await loadDsmip(session, folder) };
}

/** The kinds of experts that a run has. Throws UsageError for none. */
export function trainedKinds(folder: string): ExpertKind[] {
  const kinds = expertKinds.filter((kind) => existsSync(best(folder, kind)));
  if (kinds.length === 0) {
    throw new UsageError(`${folder}: no EXPERT/best.safetensors; train an expert there first`);
  }
  return kinds;
}

/** Experts as stage 1 left them. Throws UsageError, WeightsError. */
export function loadExperts(session: Session, folder: string, kinds: readonly string[]): Promise<Expert[]> {
  return pretrained(session, folder, kinds);
}

/**
 * Loads DSMIP; null for a run without a gate. Throws WeightsError for files that are damaged, made of other data, or that
 * do not belong together: a gate is only good for the experts that it was trained with.
 */
export async function loadDsmip(session: Session, folder: string): Promise<Dsmip | null> {
  const file = best(folder, 'gate');
  if (!existsSync(file)) return null;
  const { settings } = await readAbout(file);
  if (settings['inputs'] !== session.inputs) {
    throw new WeightsError(`${file}: was trained on another data set or CLIP than these`);
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
  return hashOf(await Promise.all(kinds.map((kind) => readFile(best(folder, kind)))));
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
  { features }: Session,
  folder: string,
  names: readonly string[],
): Promise<string> {
  const files = await Promise.all(names.map((name) => readFile(best(folder, name))));
  return hashOf([features.clipHash, ...names, ...files]);
}

function best(folder: string, name: string): string {
  return join(folder, name, 'best.safetensors');
}
