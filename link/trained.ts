// What training left in a run's folder, loaded: the experts as stage 1 made them, and DSMIP with the scoring units of
// stage 2 where there is a gate.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../engine/random.ts';
import { UsageError, WeightsError } from '../files/errors.ts';
import { loadParameters, readAbout } from '../model/checkpoint.ts';
import { Dsmip, type DsmipShape, pretrained } from '../model/dsmip/dsmip-model.ts';
import type { Expert } from '../model/dsmip/expert-model.ts';
import { expertKinds } from '../model/dsmip/experts.ts';
import type { Session } from './session.ts';

export interface Trained {
  experts: Expert[];
  dsmip: Dsmip | null;
}

/**
 * Loads a run. The gate's features of entities may be left out, where an index has what it makes of them. Throws UsageError for a folder without experts, WeightsError for files that are damaged or foreign.
 */
export async function loadTrained(
  session: Session,
  folder: string,
  sees: 'all' | 'mentions' = 'all',
): Promise<Trained> {
  const kinds = expertKinds.filter((kind) => existsSync(join(folder, kind, 'best.safetensors')));
  if (kinds.length === 0) {
    throw new UsageError(`${folder}: no EXPERT/best.safetensors; train an expert there first`);
  }
  const experts = await pretrained(session, folder, kinds);
  const gate = join(folder, 'gate', 'best.safetensors');
  return { experts, dsmip: existsSync(gate) ? await loadDsmip(session, folder, gate, sees) : null };
}

async function loadDsmip(
  session: Session,
  folder: string,
  file: string,
  sees: 'all' | 'mentions',
): Promise<Dsmip> {
  const { settings } = await readAbout(file);
  if (settings['inputs'] !== session.inputs) {
    throw new WeightsError(`${file}: was trained on another data set or CLIP than --data and --clip name`);
  }
  const experts = await pretrained(session, folder, String(settings['experts']).split(','));
  const dsmip = await Dsmip.create(session, experts, settings as unknown as DsmipShape, new Random(0), sees);
  await loadParameters(file, new Map([...dsmip.units, ...dsmip.gate]));
  return dsmip;
}
