// What a data set is made of, and the texts by which encoders know it. Reads nothing, so that a browser may load it.

import { plainName } from './names/name-form.ts';

/** An entity of a knowledge base. */
export interface Entity {
  /** The layout's number of it; of a JSON-lines file its row. */
  id: number;
  qid: string;
  name: string;
  /** Other names, kept apart for finding candidates by name. In the layout of MIMIC a field of our own, which may be missing. */
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
 * The text by which an entity is known to the encoder: `name : attributes`, and after the attributes the aliases that they
 * do not name themselves, so that a text that is cut loses them first. Knowledge bases of MIMIC's layout write aliases
 * into the attributes.
 */
export function entityText({
  name,
  attributes,
  aliases,
}: Pick<Entity, 'name' | 'attributes' | 'aliases'>): string {
  const known = ` ${plainName(attributes)} `;
  const others = aliases.filter((alias) => !known.includes(` ${plainName(alias)} `));
  return `${name} : ${others.length === 0 ? attributes : [attributes, ...others].join(' ').trimStart()}`;
}

/** The text by which a mention is known to the encoder. */
export function mentionText(mention: Pick<Mention, 'word' | 'sentence'>): string {
  return `${mention.word} : ${mention.sentence}`;
}
