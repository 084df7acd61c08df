// Builds the entity index of a system and a knowledge base: what scoring needs of each entity, so that linking and evaluation
// need not encode the knowledge base again. A build that was interrupted goes on where it was.

import { openKnowledgeBase } from '../data/knowledge-base.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import { buildEntityIndex, buildRunIndex } from '../link/entity-index.ts';
import { indexFolder } from '../link/index-folder.ts';
import { loadLinkingModel, needsRun } from '../link/linking-model.ts';
import type { ModelBase } from '../link/model-base.ts';
import type { Session } from '../link/session.ts';
import type { IndexHead } from '../ranking/index/format.ts';
import { checkConfig, fieldError } from '../train/config/check.ts';
import { type IndexConfig, indexSchema } from '../train/config/schemas.ts';
import type { Hooks } from '../train/hooks.ts';

export interface BuiltIndex {
  folder: string;
  head: IndexHead;
  /** Shards that an earlier build had finished. */
  kept: number;
}

/**
 * Builds the index of a system and the session's own knowledge base, in RUN/index; where another is named, that one's. Throws
 * ConfigError, UsageError and WeightsError.
 */
export async function buildIndex(
  config: IndexConfig,
  session: Session,
  hooks: Hooks = {},
): Promise<BuiltIndex> {
  const { run, data, index, knowledgeBase } = checkIndexConfig(config);
  if (knowledgeBase.source !== '') return indexKnowledgeBase(config, session, hooks);
  const model = await loadLinkingModel(session, run.folder, index.system);
  try {
    const built = await buildRunIndex(session, run.folder, model, optionsOf(index, hooks));
    for (const line of session.features.source.takeProblems(data.folder)) hooks.onWarning?.(line);
    return { folder: indexFolder(run.folder), ...built };
  } finally {
    model.release();
  }
}

/**
 * Builds the index of a system and a knowledge base in a folder of its own; no data set is read. Throws ConfigError,
 * UsageError, WeightsError, and InputError for what is wrong in the knowledge base.
 */
export async function indexKnowledgeBase(
  config: IndexConfig,
  base: ModelBase & { features: FeatureOptions },
  hooks: Hooks = {},
): Promise<BuiltIndex> {
  const { run, index, knowledgeBase, out } = checkIndexConfig(config);
  const { source, images } = knowledgeBase;
  if (source === '') throw fieldError('knowledgeBase.source', 'a file or a folder');
  const own = await openKnowledgeBase({ kb: source, ...(images === '' ? {} : { images }) });
  const { system = null } = index;
  const folder = needsRun(system) ? run.folder : null;
  const model = await loadLinkingModel(base, folder, system);
  try {
    const built = await buildEntityIndex(
      { model, run: folder, base },
      own,
      out.folder,
      optionsOf(index, hooks),
    );
    return { folder: out.folder, ...built };
  } finally {
    model.release();
  }
}

/** The configuration, checked, before anything is opened for it. Throws ConfigError. */
export function checkIndexConfig(config: IndexConfig): IndexConfig {
  const checked = checkConfig(indexSchema, config);
  const { knowledgeBase, out } = checked;
  if (knowledgeBase.source !== '') {
    if (out.folder !== '') return checked;
    throw fieldError('out.folder', 'a folder for the index of knowledgeBase.source');
  }
  for (const [field, value] of [
    ['knowledgeBase.images', knowledgeBase.images],
    ['out.folder', out.folder],
  ] as const) {
    if (value !== '') throw fieldError(field, 'none without knowledgeBase.source', value);
  }
  return checked;
}

function optionsOf({ dtype, shard }: IndexConfig['index'], { signal, onProgress, onWarning }: Hooks) {
  return {
    dtype,
    shard,
    onProgress({ done, total }: { done: number; total: number | null }) {
      signal?.throwIfAborted();
      if (total !== null) onProgress?.({ task: 'indexing', done: done / total, total: 1 });
    },
    ...(onWarning ? { onWarning } : {}),
  };
}
