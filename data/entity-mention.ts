// What a data set is made of, and the texts by which encoders know it. Reads nothing, so that a browser may load it.

/** An entity of a knowledge base. */
export interface Entity {
  /** The layout's number of it; of a JSON-lines file its row. */
  id: number;
  qid: string;
  name: string;
  /** Other names, kept apart for finding candidates by name. The layout of MIMIC has none. */
  aliases: string[];
  attributes: string;
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
}

export type Split = 'train' | 'dev' | 'test';

/**
 * The text by which an entity is known to the encoder: `name : attributes`, and the aliases after the attributes, so that
 * a text that is cut loses them first. Knowledge bases of MIMIC's layout write aliases into the attributes, in the same
 * manner.
 */
export function entityText({
  name,
  attributes,
  aliases,
}: Pick<Entity, 'name' | 'attributes' | 'aliases'>): string {
  return `${name} : ${aliases.length === 0 ? attributes : [attributes, ...aliases].join(' ').trimStart()}`;
}

/** The text by which a mention is known to the encoder. */
export function mentionText(mention: Pick<Mention, 'word' | 'sentence'>): string {
  return `${mention.word} : ${mention.sentence}`;
}
