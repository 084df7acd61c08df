// What the page and its worker say to each other.

import type { Linked } from '../../link/linker.ts';
import type { ChosenBase, OwnBase } from './own/own-index.ts';
import type { Site } from './site.ts';

/** A mention as the page has it. */
export interface PageMention {
  word: string;
  sentence: string;
  image: Blob | null;
}

/** What is to be found: a mention's entities of a knowledge base of the visitor's; null for the site's. */
export interface Question {
  mention: PageMention;
  top: number;
  base: string | null;
}

/** What is done with knowledge bases of the visitor's own, one after another. */
export type OwnRequest = { encode: ChosenBase } | { stop: true } | { remove: string } | { export: string };

/** First the site, then questions, of which one that is overtaken by a later one is not answered, and what is done with bases. */
export type ToWorker = { site: Site; folder: string } | ({ id: number } & Question) | OwnRequest;

/** What became of bases. `kept`: those that there are now; `encoded`: with what could not be read; `failed`: null where it was stopped. */
type OwnAnswer =
  | { kind: 'kept'; bases: OwnBase[] }
  | { kind: 'encoding'; done: number; total: number }
  | { kind: 'encoded'; name: string; problems: string[] }
  | { kind: 'exported'; name: string; zip: Blob }
  | { kind: 'not done'; problem: string | null };

export type FromWorker =
  | { kind: 'loading'; bytes: number; ofBytes: number }
  | { kind: 'open' }
  /** Nothing can be linked here; `needsWebGpu`: since the browser has none. */
  | { kind: 'unusable'; problem: string; needsWebGpu: boolean }
  | { kind: 'found'; id: number; found: Linked[]; milliseconds: number }
  | { kind: 'failed'; id: number; problem: string }
  | OwnAnswer;
