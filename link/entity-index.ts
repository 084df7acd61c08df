// The entity index of a run, RUN/index: what its system's scoring needs of each entity, so that linking and evaluation need
// not encode the knowledge base again.

import { join } from 'node:path';
import { loadTokenizer } from '../data/text/tokenizer-files.ts';
import { entitySamples } from '../encoding/entity-samples.ts';
import { fileStamp } from '../encoding/samples.ts';
import { hashOf } from '../files/fingerprint.ts';
import { type BuildOptions, buildIndex } from '../ranking/index/builder.ts';
import type { Fingerprints, IndexDtype, IndexHead } from '../ranking/index/format.ts';
import { type IndexSource, openIndex } from '../ranking/index/source.ts';
import type { LinkingModel } from './linking-model.ts';
import type { Session } from './session.ts';

/** Folder of a run's index. */
export function indexFolder(run: string): string {
  return join(run, 'index');
}

export interface RunIndexOptions {
  dtype: IndexDtype;
  /** Entities a shard. */
  shard: number;
  onProgress?: BuildOptions<unknown>['onProgress'];
}

/** Builds the index of a run of the session's knowledge base. Throws as `buildIndex` does. */
export async function buildRunIndex(
  session: Session,
  run: string,
  model: LinkingModel,
  options: RunIndexOptions,
): Promise<{ head: IndexHead; kept: number }> {
  const { dataset, clip, features } = session;
  const tokenizer = await loadTokenizer(clip.folder);
  try {
    const encoding = { tokenizer, maxLength: clip.config.text.maxLength, features };
    return await buildIndex({
      ...options,
      scorer: model.scorer,
      entities: () => dataset.entities,
      count: dataset.entities.length,
      encode: (entities) => entitySamples(entities, encoding),
      folder: indexFolder(run),
      fingerprints: await fingerprintsOf(session, model),
    });
  } finally {
    tokenizer.free();
  }
}

/** Opens the index of a run for its system and the session's knowledge base. Throws WeightsError as `openIndex` does. */
export async function openRunIndex(session: Session, run: string, model: LinkingModel): Promise<IndexSource> {
  return openIndex(indexFolder(run), model.scorer, await fingerprintsOf(session, model));
}

async function fingerprintsOf({ dataset }: Session, { fingerprint }: LinkingModel): Promise<Fingerprints> {
  const stamps: string[] = [];
  for (const { name, attributes, images } of dataset.entities) {
    stamps.push(name, attributes, ...(await Promise.all(images.map(fileStamp))));
  }
  return { model: fingerprint, 'knowledge base': hashOf(stamps) };
}
