// Builds the entity index of a run, RUN/index: what scoring needs of each entity, so that linking and evaluation need not
// encode the knowledge base again. A build that was interrupted goes on where it was.

import { buildRunIndex, indexFolder } from '../link/entity-index.ts';
import { loadLinkingModel } from '../link/linking-model.ts';
import type { Session } from '../link/session.ts';
import type { IndexHead } from '../ranking/index/format.ts';
import { checkConfig } from '../train/config/check.ts';
import { type IndexConfig, indexSchema } from '../train/config/schemas.ts';
import type { Hooks } from '../train/hooks.ts';

export interface BuiltIndex {
  folder: string;
  head: IndexHead;
  /** Shards that an earlier build had finished. */
  kept: number;
}

/** Builds the index on an open session. Throws ConfigError, UsageError, WeightsError. */
export async function buildIndex(
  config: IndexConfig,
  session: Session,
  hooks: Hooks = {},
): Promise<BuiltIndex> {
  const { run, data, index } = checkConfig(indexSchema, config);
  const model = await loadLinkingModel(session, run.folder);
  const built = await buildRunIndex(session, run.folder, model, {
    ...index,
    onProgress({ done, total }) {
      hooks.signal?.throwIfAborted();
      hooks.onProgress?.({ task: 'indexing', done: total === null ? 0 : done / total, total: 1 });
    },
  });
  for (const line of session.features.source.takeProblems(data.folder)) hooks.onWarning?.(line);
  return { folder: indexFolder(run.folder), ...built };
}
