// Experts on one split: every mention of it against the whole knowledge base, each by its first image.

import type { Split } from '../data/dataset.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import type { Samples } from '../encoding/samples.ts';
import { type Expert, firstImages, lastingFeatures } from '../model/dsmip/expert-model.ts';
import type { GateShares } from '../ranking/gate-shares.ts';
import { rankMentions } from '../ranking/scoring-pass.ts';
import {
  type EntitySource,
  type MentionSource,
  type RowTables,
  streamedEntities,
  tableEntities,
  tableMentions,
} from '../ranking/sources.ts';
import { expertAlone } from '../ranking/systems.ts';
import type { Session } from './session.ts';

/** Features of a split's mentions and of all entities. */
export interface SplitTables {
  mention: RowTables;
  entity: RowTables;
}

/** Encodes a split and the knowledge base with the expert's weights of now. */
export async function splitTables(
  session: Session,
  expert: Expert,
  split: Split,
  features: FeatureOptions,
): Promise<SplitTables> {
  return {
    mention: await mentionTables(session, expert, split, features),
    entity: await entityTables(session, expert, features),
  };
}

/** The same by several experts, whose encoders and prompts stay as they are. */
export async function splitTablesOf(
  session: Session,
  experts: readonly Expert[],
  split: Split,
): Promise<SplitTables[]> {
  const tables: SplitTables[] = [];
  for (const expert of experts) {
    tables.push(await splitTables(session, expert, split, lastingFeatures(session, expert)));
  }
  return tables;
}

/** Encodes a split's mentions. */
export function mentionTables(session: Session, expert: Expert, split: Split, features: FeatureOptions) {
  return rowTables(expert, 'mention', session.corpus.mentions[split], features);
}

/** Encodes the knowledge base. */
export function entityTables(session: Session, expert: Expert, features: FeatureOptions) {
  return rowTables(expert, 'entity', session.corpus.entities, features);
}

/** Encodes samples, each with its first image. */
export async function rowTables(
  expert: Expert,
  side: 'mention' | 'entity',
  samples: Samples,
  features: FeatureOptions,
): Promise<RowTables> {
  const { each, distinct } = firstImages(samples);
  return { ...(await expert.tables(side, samples, distinct, features)), images: each };
}

/** The tables of several experts as sources of a scoring pass; `shares` where a gate chooses. */
export function splitSources(
  session: Session,
  experts: readonly Expert[],
  split: Split,
  tables: readonly SplitTables[],
  shares?: { mention: GateShares; entity: GateShares },
): { mentions: MentionSource; entities: EntitySource } {
  const { mentions, entities } = session.corpus;
  const [ofMentions, ofEntities] = (['mention', 'entity'] as const).map((side) =>
    tables.map((table) => table[side]),
  );
  return {
    mentions: tableMentions(experts, ofMentions!, mentions[split].tokens.lengths, shares?.mention),
    entities: tableEntities(experts, ofEntities!, withoutImage(entities.images), shares?.entity),
  };
}

/** 1 for samples without an image. */
export function withoutImage(images: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from(images, (own) => (own.length === 0 ? 1 : 0));
}

/** Features of a whole knowledge base that are held in memory, in bytes, where no cache keeps them in a file. */
const mostInMemory = 2 ** 30;

/**
 * Ranks of the answers of a split's mentions, by the expert alone. Without a cache a knowledge base whose features take
 * more than `most` bytes is encoded chunk by chunk and never held.
 */
export async function rankSplit(
  session: Session,
  expert: Expert,
  split: Split,
  features: FeatureOptions,
  most = mostInMemory,
): Promise<number[]> {
  const { entities, mentions } = session.corpus;
  const imageless = withoutImage(entities.images);
  const isStreamed = features.cache === '' && expert.tableBytes(entities) > most;
  const source = isStreamed
    ? streamedEntities([expert], entities, features, imageless)
    : tableEntities([expert], [await entityTables(session, expert, features)], imageless);
  const tables = await mentionTables(session, expert, split, features);
  const { systems } = await rankMentions({
    device: session.device,
    kinds: [expert.kind],
    mentions: tableMentions([expert], [tables], mentions[split].tokens.lengths),
    entities: source,
    systems: [expertAlone(expert.kind, 0, 1)],
    golds: session.corpus.answers[split],
  });
  return systems[expert.kind]!.ranks;
}
