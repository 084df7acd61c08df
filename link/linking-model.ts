// What of a run answers when one answer is wanted, and its entities.

import type { AnyScorer } from '../ranking/scorer.ts';
import { type EntitySource, preparedEntities, prepareSamples } from '../ranking/sources.ts';
import type { Session } from './session.ts';
import {
  fileFingerprint,
  loadDsmip,
  loadExperts,
  type ModelSession,
  parameterCounts,
  trainedKinds,
} from './trained.ts';

/** DSMIP with its experts, or one expert. */
export interface LinkingModel {
  scorer: AnyScorer;
  /** Hash of all that decides what it makes of an entity: its checkpoints and CLIP. */
  fingerprint: string;
  /** Trained numbers by what has them. */
  parameters: Readonly<Record<string, number>>;
}

/**
 * Loads DSMIP where the run has a gate, else its multimodal, text or visual expert, the first that there is. Loads nothing
 * that does not answer. Throws UsageError for a folder without experts, WeightsError for files that are damaged or foreign.
 */
export async function loadLinkingModel(session: ModelSession, folder: string): Promise<LinkingModel> {
  const dsmip = await loadDsmip(session, folder);
  if (dsmip) {
    const names = [...dsmip.experts.map(({ kind }) => kind), 'gate'];
    return {
      scorer: dsmip.scorer,
      fingerprint: await fileFingerprint(session, folder, names),
      parameters: parameterCounts(dsmip.experts, dsmip),
    };
  }
  const kinds = await trainedKinds(folder);
  const best = (['multimodal', 'text', 'visual'] as const).find((kind) => kinds.includes(kind))!;
  const [expert] = await loadExperts(session, folder, [best]);
  return {
    scorer: expert!,
    fingerprint: await fileFingerprint(session, folder, [best]),
    parameters: parameterCounts([expert!], null),
  };
}

/** All entities of the data set, encoded or from the cache of features. */
export async function encodedEntities(
  { corpus, features }: Session,
  { scorer }: LinkingModel,
): Promise<EntitySource> {
  return preparedEntities(await prepareSamples([scorer], 'entity', corpus.entities, features));
}
