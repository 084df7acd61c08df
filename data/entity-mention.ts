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

/**
 * The text by which an entity is known to the encoder: `name : attributes`, and the aliases after the attributes, so that
 * a text that is cut loses them first; but for aliases that the attributes name already.
 */
export function entityText({
  name,
  attributes,
  aliases,
  hasAliasesInAttributes = false,
}: Pick<Entity, 'name' | 'attributes' | 'aliases' | 'hasAliasesInAttributes'>): string {
  const further = hasAliasesInAttributes ? [] : aliases;
  return `${name} : ${further.length === 0 ? attributes : [attributes, ...further].join(' ').trimStart()}`;
}

/** The text by which a mention is known to the encoder. */
export function mentionText(mention: Pick<Mention, 'word' | 'sentence'>): string {
  return `${mention.word} : ${mention.sentence}`;
}
