// A concept, which becomes an entity, a mention of it, and choices that hang on a hash of their names: no randomness.

import { createHash } from 'node:crypto';
import type { MentionKind, Split } from '../entity-mention.ts';
import type { Synset } from './wordnet.ts';

/** Parts of each kind of entities that go to the splits. */
const shares: Readonly<Record<Split, number>> = { train: 0.7, dev: 0.1, test: 0.2 };

/** Part of the pictures that are missing, of entities and of mentions. */
export const droppedImages = 0.15;

export interface Picture {
  file: string;
  svg: string;
}

/** An entity before it is written: what its text says and which pictures it may get. */
export interface Concept {
  synset: Synset;
  name: string;
  /** Names besides WordNet's. */
  aliases: string[];
  facts: string[];
  entityPictures: string[];
  mentionPictures: string[];
}

export interface ConceptMention {
  /** Unique in the data set. */
  id: string;
  kind: MentionKind;
  concept: Concept;
  word: string;
  sentence: string;
  picture: Picture | null;
}

/** Names that are passed over where others are at hand. */
export const rudeWord = /\b(pussy|fag|coon|bastard|arse)\b/i;

export function hasPictures(concept: Concept): boolean {
  return concept.mentionPictures.length > 0;
}

/** All by the hash of their keys: an order that says nothing of them. */
export function byHash<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const keys = new Map(items.map((item) => [item, hash(keyOf(item))]));
  return [...items].sort((a, b) => (keys.get(a)! < keys.get(b)! ? -1 : 1));
}

/** Which split an item belongs to that stands `i`-th of `count` in an order by hash. */
export function splitAt(i: number, count: number): Split {
  const place = (i + 0.5) / count;
  return place < shares.train ? 'train' : place < shares.train + shares.dev ? 'dev' : 'test';
}

/** A number in [0, 1) that depends on the text alone. */
export function fraction(text: string): number {
  return Number.parseInt(hash(text).slice(0, 8), 16) / 2 ** 32;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
