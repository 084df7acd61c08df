// Builds the entity index of a run, RUN/index: what scoring needs of each entity, so that linking and evaluation need not
// encode the knowledge base again. A build that was interrupted goes on where it was.

import { type KnowledgeBase, openKnowledgeBase } from '../data/knowledge-base.ts';
import { buildEntityIndex, buildRunIndex } from '../link/entity-index.ts';
import { indexFolder } from '../link/index-folder.ts';
import { loadLinkingModel } from '../link/linking-model.ts';
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
 * Builds the index on an open session: of its own knowledge base in RUN/index, or of `knowledgeBase` in a folder of its own.
 * Throws ConfigError, UsageError, WeightsError, and InputError for what is wrong in a knowledge base.
 */
export async function buildIndex(
  config: IndexConfig,
  session: Session,
  hooks: Hooks = {},
): Promise<BuiltIndex> {
  const { run, data, index, knowledgeBase, out } = checkConfig(indexSchema, config);
  const own = await knowledgeBaseOf(knowledgeBase, out.folder);
  const model = await loadLinkingModel(session, run.folder);
  const options = {
    ...index,
    onProgress({ done, total }: { done: number; total: number | null }) {
      hooks.signal?.throwIfAborted();
      if (total !== null) hooks.onProgress?.({ task: 'indexing', done: done / total, total: 1 });
    },
    ...(hooks.onWarning ? { onWarning: hooks.onWarning } : {}),
  };
  const folder = own ? out.folder : indexFolder(run.folder);
  const built = own
    ? await buildEntityIndex({ model, run: run.folder, base: session }, own, folder, options)
    : await buildRunIndex(session, run.folder, model, options);
  for (const line of session.features.source.takeProblems(data.folder)) hooks.onWarning?.(line);
  return { folder, ...built };
}

/** The knowledge base that is not the session's; null where none is named. */
async function knowledgeBaseOf(
  { source, images }: IndexConfig['knowledgeBase'],
  out: string,
): Promise<KnowledgeBase | null> {
  if (source !== '') {
    if (out === '') throw fieldError('out.folder', 'a folder for the index of knowledgeBase.source');
    return openKnowledgeBase({ kb: source, ...(images === '' ? {} : { images }) });
  }
  if (images !== '') throw fieldError('knowledgeBase.images', 'none without knowledgeBase.source', images);
  if (out !== '') throw fieldError('out.folder', 'none without knowledgeBase.source', out);
  return null;
}
