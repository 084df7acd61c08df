// Counts what is in a data set or a knowledge base alone: sizes, names that several entities have, missing images, lengths of
// texts, duplicate rows, leakage between splits. Knows the readers and folders of images, nothing of models and of how the
// counts are printed.

import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Dataset, type Entity, entityText, type Mention, mentionText, type Split } from '../dataset.ts';
import { type MentionKind, mentionKinds } from '../entity-mention.ts';
import { plainName } from '../names/name-form.ts';
import { type Lengths, lengthsOf } from '../text/text-lengths.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { type PictureShortcut, shortcutOf } from './picture-shortcut.ts';

interface EntityCounts {
  entities: number;
  /** Entities that name at least one image, and those whose first one is in the folder. */
  withImage: number;
  firstImageFound: number;
  /** Different images named, and those of them that are not in the folder. */
  images: number;
  missingImages: number;
  /** The first of these; null for none. */
  firstMissingImage: string | null;
  withoutAttributes: number;
  /** Different names, and those of them that several entities have. */
  names: number;
  homonyms: number;
  /** Entities whose name, or whose whole text, another one has too. */
  sharedName: number;
  sharedText: number;
  /** Names besides the first, of all entities. */
  aliases: number;
}

export interface SplitCounts {
  mentions: number;
  /** Different sentences: what Table 4 calls samples. */
  samples: number;
  /** Mentions of each kind, in a data set that has kinds. */
  kinds: Partial<Record<MentionKind, number>>;
  /** Different entities that are answers. */
  answers: number;
  /** Mentions whose word is the answer's name, and an alias of it; but for case, accents and underscores. */
  wordIsName: number;
  wordIsAlias: number;
  withoutImage: number;
  /** Different images named, and those of them that are not in the folder. */
  images: number;
  missingImages: number;
  /** Mentions whose image is named but not in the folder. */
  withMissingImage: number;
  /** Rows with word, sentence, answer and image of a row before, and with all of these but the image. */
  duplicates: number;
  duplicatesButImage: number;
}

export interface UnlinkableCounts {
  mentions: number;
  kinds: Partial<Record<MentionKind, number>>;
  answers: number;
  /** Entities of these whose name another one has, too: it stays in the knowledge base. */
  answersWithHomonym: number;
}

/** Mentions of the later split that share something with one of the earlier split. */
export interface Leakage {
  mentions: number;
  /** The same image file. */
  image: number;
  /** The same sentence. */
  sentence: number;
  imageOrSentence: number;
  /** The same word with the same answer. */
  wordAndAnswer: number;
  /** The same answer: not leakage by itself, but how much of the later split's entities training has seen. */
  answer: number;
}

/** What is in a knowledge base that has no mentions. */
export interface KnowledgeBaseInspection {
  name: string;
  entities: EntityCounts;
  lengths: Record<'entity text', Lengths>;
  remarks: string[];
}

export interface Inspection extends KnowledgeBaseInspection {
  splits: Record<Split | 'all', SplitCounts>;
  nilAnswers: number;
  lengths: Record<'entity text' | 'mention text' | 'word' | 'sentence', Lengths>;
  /** How pictures of mentions and of their entities go together, for all mentions of a split and by kind. */
  pictures: { split: Split; kind: MentionKind | 'all'; shortcut: PictureShortcut }[];
  /** Mentions whose entity counts as taken out of the knowledge base, and the different entities. */
  unlinkable: Record<'dev' | 'test', UnlinkableCounts>;
  leakage: Record<'train-dev' | 'train-test' | 'dev-test', Leakage>;
}

/** Inspects entities that were read, without any mentions; token lengths are counted where there is a tokenizer. */
export async function inspectEntities(
  { name, entities, remarks }: Pick<Dataset, 'name' | 'entities' | 'remarks'>,
  tokenizer: Tokenizer | null,
): Promise<KnowledgeBaseInspection> {
  const present = await filesBeside(entities.flatMap(({ images }) => images));
  return {
    name,
    entities: entityCounts(entities, present),
    lengths: { 'entity text': lengthsOf(entities.map(entityText), tokenizer) },
    remarks,
  };
}

/** Inspects a data set that was read; token lengths are counted where there is a tokenizer. */
export async function inspect(data: Dataset, tokenizer: Tokenizer | null): Promise<Inspection> {
  const { train, dev, test } = data.splits;
  const all = [...train, ...dev, ...test];
  const present = await filesBeside([
    ...data.entities.flatMap(({ images }) => images),
    ...all.flatMap(({ image }) => image ?? []),
  ]);
  return {
    name: data.name,
    entities: entityCounts(data.entities, present),
    splits: {
      train: splitCounts(train, data.entities, present),
      dev: splitCounts(dev, data.entities, present),
      test: splitCounts(test, data.entities, present),
      all: splitCounts(all, data.entities, present),
    },
    nilAnswers: data.skippedNil,
    lengths: {
      'entity text': lengthsOf(data.entities.map(entityText), tokenizer),
      'mention text': lengthsOf(all.map(mentionText), tokenizer),
      word: lengthsOf(
        all.map(({ word }) => word),
        tokenizer,
      ),
      sentence: lengthsOf(
        all.map(({ sentence }) => sentence),
        tokenizer,
      ),
    },
    pictures: pictureShortcuts(data),
    unlinkable: {
      dev: unlinkableCounts(data.unlinkable.dev, data.entities),
      test: unlinkableCounts(data.unlinkable.test, data.entities),
    },
    leakage: {
      'train-dev': leakage(train, dev),
      'train-test': leakage(train, test),
      'dev-test': leakage(dev, test),
    },
    remarks: data.remarks,
  };
}

function entityCounts(entities: readonly Entity[], present: ReadonlySet<string>): EntityCounts {
  const images = new Set(entities.flatMap((entity) => entity.images));
  const imaged = entities.filter((entity) => entity.images.length > 0);
  const missing = [...images].filter((image) => !present.has(image));
  const names = entities.map(({ name }) => name);
  const sharedName = sharedOf(names);
  const different = new Set(names).size;
  return {
    entities: entities.length,
    withImage: imaged.length,
    firstImageFound: imaged.filter((entity) => present.has(entity.images[0]!)).length,
    images: images.size,
    missingImages: missing.length,
    firstMissingImage: missing[0] ?? null,
    withoutAttributes: entities.filter(({ attributes }) => attributes === '').length,
    names: different,
    homonyms: different - (entities.length - sharedName),
    sharedName,
    sharedText: sharedOf(entities.map(entityText)),
    aliases: entities.reduce((sum, { aliases }) => sum + aliases.length, 0),
  };
}

function pictureShortcuts({ splits, entities }: Dataset): Inspection['pictures'] {
  return (['train', 'dev', 'test'] as const).flatMap((split) => {
    const of = (kind: MentionKind | 'all') => ({
      split,
      kind,
      shortcut: shortcutOf(
        splits[split].filter((mention) => kind === 'all' || mention.kind === kind),
        entities,
      ),
    });
    return [of('all'), ...mentionKinds.map(of).filter(({ shortcut }) => shortcut.mentions > 0)];
  });
}

function unlinkableCounts(mentions: readonly Mention[], entities: readonly Entity[]): UnlinkableCounts {
  const names = countsOf(entities.map(({ name }) => plainName(name)));
  const answers = [...new Set(mentions.map(({ entity }) => entities[entity]!))];
  return {
    mentions: mentions.length,
    kinds: kindCounts(mentions),
    answers: answers.length,
    answersWithHomonym: answers.filter(({ name }) => names.get(plainName(name))! > 1).length,
  };
}

function kindCounts(mentions: readonly Mention[]): Partial<Record<MentionKind, number>> {
  return Object.fromEntries(countsOf(mentions.flatMap(({ kind }) => kind ?? [])));
}

function splitCounts(
  mentions: readonly Mention[],
  entities: readonly Entity[],
  present: ReadonlySet<string>,
): SplitCounts {
  const images = new Set(mentions.flatMap(({ image }) => image ?? []));
  const isName = ({ word, entity }: Mention) => plainName(entities[entity]!.name) === plainName(word);
  const isAlias = ({ word, entity }: Mention) =>
    entities[entity]!.aliases.some((alias) => plainName(alias) === plainName(word));
  return {
    mentions: mentions.length,
    samples: new Set(mentions.map(({ sentence }) => sentence)).size,
    kinds: kindCounts(mentions),
    answers: new Set(mentions.map(({ entity }) => entity)).size,
    wordIsName: mentions.filter(isName).length,
    wordIsAlias: mentions.filter((mention) => !isName(mention) && isAlias(mention)).length,
    withoutImage: mentions.filter(({ image }) => image === null).length,
    images: images.size,
    missingImages: missingOf(images, present),
    withMissingImage: mentions.filter(({ image }) => image !== null && !present.has(image)).length,
    duplicates: mentions.length - new Set(mentions.map((mention) => rowKey(mention, mention.image))).size,
    duplicatesButImage: mentions.length - new Set(mentions.map((mention) => rowKey(mention, null))).size,
  };
}

function rowKey({ word, sentence, entity }: Mention, image: string | null): string {
  return JSON.stringify([word, sentence, entity, image]);
}

function leakage(earlier: readonly Mention[], later: readonly Mention[]): Leakage {
  /** Whether a mention of `earlier` has the same key; null is no key. */
  const sharing = (keyOf: (mention: Mention) => string | number | null) => {
    const seen = new Set(earlier.map(keyOf).filter((key) => key !== null));
    return (mention: Mention): boolean => {
      const key = keyOf(mention);
      return key !== null && seen.has(key);
    };
  };
  const image = sharing((mention) => mention.image);
  const sentence = sharing((mention) => (mention.sentence === '' ? null : mention.sentence));
  const count = (holds: (mention: Mention) => boolean): number => later.filter(holds).length;
  return {
    mentions: later.length,
    image: count(image),
    sentence: count(sentence),
    imageOrSentence: count((mention) => image(mention) || sentence(mention)),
    wordAndAnswer: count(sharing((mention) => JSON.stringify([mention.word, mention.entity]))),
    answer: count(sharing((mention) => mention.entity)),
  };
}

/** How many of the texts occur more than once. */
function sharedOf(texts: readonly string[]): number {
  const counts = countsOf(texts);
  return texts.filter((text) => counts.get(text)! > 1).length;
}

function countsOf<T>(items: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function missingOf(images: ReadonlySet<string>, present: ReadonlySet<string>): number {
  return [...images].filter((image) => !present.has(image)).length;
}

/** The files of `paths` that exist: one listing a folder, not a look at each file. */
async function filesBeside(paths: readonly string[]): Promise<Set<string>> {
  const listings = new Map<string, Set<string>>();
  for (const folder of new Set(paths.map((path) => dirname(path)))) {
    listings.set(folder, new Set(await readdir(folder).catch(() => [])));
  }
  return new Set(paths.filter((path) => listings.get(dirname(path))!.has(basename(path))));
}
