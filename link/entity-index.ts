// The entity index of a system and a knowledge base: what the system's scoring needs of each entity, and what is told of an
// entity, so that linking needs neither the encoders of entities nor the knowledge base. A run's own index is RUN/index.

import type { Entity } from '../data/dataset.ts';
import { writeEntityRecords } from '../data/entity-records.ts';
import { entitiesStamp, entitySamples } from '../encoding/entity-samples.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import { UsageError } from '../files/errors.ts';
import { lastingPath } from '../files/package-path.ts';
import { type BuildOptions, buildIndex, entitiesFingerprint } from '../ranking/index/builder.ts';
import { entitiesName, type IndexDtype, type IndexHead } from '../ranking/index/format.ts';
import { type IndexSource, openIndex, readHead } from '../ranking/index/source.ts';
import { indexFolder, knownFingerprints } from './index-folder.ts';
import type { LinkingModel } from './linking-model.ts';
import { openTokenizer } from './model-base.ts';
import type { Session } from './session.ts';

/** Where entities come from: a knowledge base (data/knowledge-base.ts), or the entities of a data set. */
export interface EntitiesOf {
  entities(): AsyncIterable<Entity> | Iterable<Entity>;
  /** How many there are; null where that is not known before they are read. */
  count: number | null;
}

export interface EntityIndexOptions
  extends Pick<BuildOptions<Entity>, 'together' | 'onProgress' | 'onWarning'> {
  dtype: IndexDtype;
  /** Entities a shard. */
  shard: number;
}

/** What an index is built with: `system` from `run`, on a CLIP; null for the run of a system that needs none. */
export interface IndexMaker {
  model: Pick<LinkingModel, 'scorer' | 'fingerprint'>;
  run: string | null;
  base: { clip: Session['clip']; features: FeatureOptions; tokenizerHash: string };
  /** Where all that lies, for who opens the index later. Default: where it was opened. */
  origin?: IndexHead['origin'];
}

/**
 * Builds an index in a folder; streams, and holds a shard at most. Throws as `buildIndex` does, and UsageError for a system
 * from an address, which nothing is known by.
 */
export async function buildEntityIndex(
  { model: { scorer, fingerprint }, run, base: { clip, features, tokenizerHash }, origin }: IndexMaker,
  { entities, count }: EntitiesOf,
  folder: string,
  options: EntityIndexOptions,
): Promise<{ head: IndexHead; kept: number }> {
  if (fingerprint === null) throw new UsageError('an index is built with a run and a CLIP in folders');
  const tokenizer = await openTokenizer(clip);
  try {
    const encoding = { tokenizer, maxLength: clip.config.text.maxLength, features };
    return await buildIndex<Entity>({
      ...options,
      scorer,
      entities,
      count,
      stamp: entitiesStamp,
      encode: (chunk) => entitySamples(chunk, encoding),
      writeRecords: (path) => writeEntityRecords(path, entities()),
      folder,
      fingerprints: { model: fingerprint, tokenizer: tokenizerHash },
      origin: origin ?? {
        system: scorer.name,
        clip: lastingPath(clip.folder),
        ...(run === null ? {} : { run: lastingPath(run) }),
      },
    });
  } finally {
    tokenizer.free();
  }
}

/** Builds the index of a run of the session's own knowledge base. Throws as `buildIndex` does. */
export function buildRunIndex(
  session: Session,
  run: string,
  model: LinkingModel,
  options: EntityIndexOptions,
): Promise<{ head: IndexHead; kept: number }> {
  const { entities } = session.dataset;
  const source = { entities: () => entities, count: entities.length };
  return buildEntityIndex({ model, run, base: session }, source, indexFolder(run), options);
}

/**
 * Opens the index of a run for its system, held against the session's knowledge base, the contents of its images included.
 * Throws WeightsError as `openIndex` does.
 */
export async function openRunIndex(
  { dataset, tokenizerHash }: Session,
  run: string,
  { scorer, fingerprint }: LinkingModel,
): Promise<IndexSource> {
  const folder = indexFolder(run);
  const head = await readHead(folder);
  // The chunks that an index's entities were stamped in depend on its shards' size.
  const own = await entitiesFingerprint(dataset.entities, head.shard, entitiesStamp);
  const fingerprints = { ...knownFingerprints(fingerprint, tokenizerHash), [entitiesName]: own };
  return openIndex(folder, scorer, fingerprints, head);
}
