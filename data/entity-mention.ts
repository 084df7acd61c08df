// What a data set is made of, and the texts by which encoders know it. Reads nothing, so that a browser may load it.

/** An entity of a knowledge base. */
export interface Entity {
  /** The layout's number of it; of a JSON-lines file its row. */
  id: number;
  qid: string;
  name: string;
  /** Other names, kept apart for finding candidates by name. */
  aliases: string[];
  attributes: string;
  /** Set where the attributes name the aliases already, as they do in the layout of MIMIC's users. */
  hasAliasesInAttributes?: boolean;
  /** Paths of files, which may be missing. */
  images: string[];
}

/** A mention; `entity` is its answer's row in `Dataset.entities`, `image` a path or null for none. */
export interface Mention {
  id: string;
  word: string;
  sentence: string;
  entity: number;
  image: string | null;
  /** What the sentence is, in data sets that have several kinds. */
  kind?: MentionKind;
}

/** A definition or an example of a dictionary, or a sentence as people write it. */
export const mentionKinds = ['gloss', 'sentence'] as const;
export type MentionKind = (typeof mentionKinds)[number];

export type Split = 'train' | 'dev' | 'test';

/** What a mention or an entity is called, and the words that say which thing of that name it is. */
export interface NamedText {
  /** The mention's word, or the entity's name. */
  name: string;
  /** The mention's sentence, or the entity's attributes and the aliases that these do not name already. */
  context: string;
}

/** An entity's texts. The aliases come after the attributes, so that a text that is cut loses them first. */
export function entityTexts({
  name,
  attributes,
  aliases,
  hasAliasesInAttributes = false,
}: Pick<Entity, 'name' | 'attributes' | 'aliases' | 'hasAliasesInAttributes'>): NamedText {
  const further = hasAliasesInAttributes ? [] : aliases;
  const context = further.length === 0 ? attributes : [attributes, ...further].join(' ').trimStart();
  return { name, context };
}

/** A mention's texts. */
export function mentionTexts({ word, sentence }: Pick<Mention, 'word' | 'sentence'>): NamedText {
  return { name: word, context: sentence };
}

/** The one text by which a mention or an entity is known to CLIP. */
export function joinedText({ name, context }: NamedText): string {
  return `${name} : ${context}`;
}

/** The text by which CLIP knows an entity: `name : attributes and aliases`. */
export function entityText(entity: Parameters<typeof entityTexts>[0]): string {
  return joinedText(entityTexts(entity));
}

/** The text by which CLIP knows a mention: `word : sentence`. */
export function mentionText(mention: Parameters<typeof mentionTexts>[0]): string {
  return joinedText(mentionTexts(mention));
}
