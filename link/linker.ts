// Links mentions that are in no data set: a trained run, opened once, that gives the best entities for what it is asked.

import { mentionText } from '../data/dataset.ts';
import { PixelSource } from '../data/images/pixel-source.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { loadTokenizer } from '../data/text/tokenizer-files.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import { type Samples, tokenizeTexts } from '../encoding/samples.ts';
import type { Device } from '../engine/device.ts';
import { hasIndex } from '../ranking/index/source.ts';
import { Mixture } from '../ranking/mixture.ts';
import type { AnyScorer } from '../ranking/scorer.ts';
import { rankMentions } from '../ranking/scoring-pass.ts';
import {
  type EntitySource,
  type MentionSource,
  preparedMentions,
  prepareSamples,
} from '../ranking/sources.ts';
import { indexFolder, openRunIndex } from './entity-index.ts';
import { encodedEntities, type LinkingModel, loadLinkingModel } from './linking-model.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';

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
  const model = await loadLinkingModel(session, folder);
  const entities = (await hasIndex(indexFolder(folder)))
    ? await openRunIndex(session, folder, model)
    : await encodedEntities(session, model);
  const tokenizer = await loadTokenizer(options.clip);
  return {
    link: (mentions, top) => link(session, model, entities, tokenizer, mentions, top),
  };
}

async function link(
  session: Session,
  { scorer }: LinkingModel,
  entities: EntitySource,
  tokenizer: Tokenizer,
  mentions: readonly LinkMention[],
  top: number,
): Promise<Linked[][]> {
  if (mentions.length === 0) return [];
  const { systems } = await rankMentions({
    systems: [scorer],
    mentions: await mentionSource(session, scorer, tokenizer, mentions),
    entities,
    top,
  });
  const alone = scorer instanceof Mixture ? null : scorer.name;
  return systems[scorer.name]!.top.map((found) =>
    found.map(({ entity, score, part }) => {
      const { qid, name, attributes } = session.dataset.entities[entity]!;
      return { qid, name, attributes, score, expert: part ?? alone };
    }),
  );
}

/** Encodes mentions as a split's. */
async function mentionSource(
  session: Session,
  scorer: AnyScorer,
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
  return preparedMentions(await prepareSamples([scorer], 'mention', samples, from));
}
