// What of a run answers when one answer is wanted, and its entities.

import type { Dsmip } from '../model/dsmip/dsmip-model.ts';
import { type Expert, lastingFeatures } from '../model/dsmip/expert-model.ts';
import { type EntitySource, type RowTables, tableEntities } from '../ranking/sources.ts';
import { expertAlone, type System } from '../ranking/systems.ts';
import { dsmipSystem, gateShares } from './dsmip-split.ts';
import type { Session } from './session.ts';
import { entityTables, withoutImage } from './split.ts';
import { loadTrained } from './trained.ts';

/** DSMIP with its experts, or one expert. */
export interface Answering {
  experts: readonly Expert[];
  dsmip: Dsmip | null;
  system: System;
}

/** Loads DSMIP where the run has a gate, else its multimodal, text or visual expert, the first that there is. */
export async function answering(
  session: Session,
  folder: string,
  sees: 'all' | 'mentions' = 'all',
): Promise<Answering> {
  const { experts, dsmip } = await loadTrained(session, folder, sees);
  if (dsmip) {
    return { experts: dsmip.experts, dsmip, system: await dsmipSystem(dsmip) };
  }
  const [best] = (['multimodal', 'text', 'visual'] as const).flatMap(
    (kind) => experts.find((expert) => expert.kind === kind) ?? [],
  );
  return { experts: [best!], dsmip: null, system: expertAlone(best!.kind, 0, 1) };
}

/** All entities, encoded or from the cache of features. */
export async function encodedEntities(
  session: Session,
  { experts, dsmip }: Answering,
): Promise<EntitySource> {
  const tables: RowTables[] = [];
  for (const expert of experts)
    tables.push(await entityTables(session, expert, lastingFeatures(session, expert)));
  const gate = dsmip && (await gateShares(session, dsmip, 'test', 'entity'));
  return tableEntities(experts, tables, withoutImage(session.corpus.entities.images), gate);
}
