// Links mentions that are in no data set: a trained run, opened once, that gives the best entities for what it is asked.

import { mentionText } from '../data/dataset.ts';
import { PixelSource } from '../data/images/pixel-source.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { loadTokenizer } from '../data/text/tokenizer-files.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import { type Samples, tokenizeTexts } from '../encoding/samples.ts';
import type { Device } from '../engine/device.ts';
import { hasIndex, openIndex } from '../ranking/index/source.ts';
import { rankMentions } from '../ranking/scoring-pass.ts';
import { type EntitySource, type MentionSource, type RowTables, tableMentions } from '../ranking/sources.ts';
import { type Answering, answering, encodedEntities } from './linking-model.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { rowTables } from './split.ts';

/** A mention as a caller has it; `image` is a file's path, or null for none. */
export interface LinkMention {
  word: string;
  sentence: string;
  image: string | null;
}

/** An entity for a mention, with the expert that scored it. */
export interface Linked {
  qid: string;
  name: string;
  /** What the knowledge base says of it: tells it from others of the name. */
  attributes: string;
  score: number;
  expert: string | null;
}

export interface Linker {
  /** The `top` best entities of each mention, best first. An image that cannot be read counts as none. */
  link(mentions: readonly LinkMention[], top: number): Promise<Linked[][]>;
}

/**
 * Opens a run for linking: DSMIP where there is a gate, else its best expert by kind (multimodal, text, visual). The
 * entities' scoring vectors come from RUN/index, else they are made of features in memory. Throws UsageError and WeightsError
 * for a run or an index that is missing a part, damaged or foreign.
 */
export async function openLinker(
  device: Device,
  folder: string,
  options: Omit<SessionOptions, 'device'>,
): Promise<Linker> {
  const session = await openSession({ ...options, device });
  const isIndexed = hasIndex(folder);
  const chosen = await answering(session, folder, isIndexed ? 'mentions' : 'all');
  const entities = isIndexed
    ? await openIndex(session, folder, chosen)
    : await encodedEntities(session, chosen);
  const tokenizer = await loadTokenizer(options.clip);
  return {
    link: (mentions, top) => link(session, chosen, entities, tokenizer, mentions, top),
  };
}

async function link(
  session: Session,
  chosen: Answering,
  entities: EntitySource,
  tokenizer: Tokenizer,
  mentions: readonly LinkMention[],
  top: number,
): Promise<Linked[][]> {
  if (mentions.length === 0) return [];
  const { system, experts } = chosen;
  const kinds = experts.map(({ kind }) => kind);
  const { systems } = await rankMentions({
    device: session.device,
    kinds,
    mentions: await mentionSource(session, chosen, tokenizer, mentions),
    entities,
    systems: [system],
    top,
  });
  const only = kinds.length === 1 ? 0 : null;
  return systems[system.name]!.top.map((found) =>
    found.map(({ entity, score, expert }) => {
      const { qid, name, attributes } = session.dataset.entities[entity]!;
      const by = expert ?? only;
      return { qid, name, attributes, score, expert: by === null ? null : kinds[by]! };
    }),
  );
}

/** Encodes mentions as a split's. */
async function mentionSource(
  session: Session,
  { experts, dsmip }: Answering,
  tokenizer: Tokenizer,
  mentions: readonly LinkMention[],
): Promise<MentionSource> {
  const files = [null, ...mentions.map(({ image }) => image)];
  const samples: Samples = {
    tokens: tokenizeTexts(tokenizer, mentions.map(mentionText), session.clip.config.text.maxLength),
    images: mentions.map(({ image }, i) => (image === null ? [] : [i + 1])),
  };
  const source = new PixelSource(files, session.features.source.how);
  const from: FeatureOptions = { ...session.features, source, files, cache: '' };
  const tables: RowTables[] = [];
  for (const expert of experts) tables.push(await rowTables(expert, 'mention', samples, from));
  const gate = dsmip && {
    experts: experts.length,
    values: await dsmip.sharesOfOthers(samples, from),
    isShared: false,
  };
  return tableMentions(experts, tables, samples.tokens.lengths, gate);
}
