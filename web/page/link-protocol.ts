// What the page and its worker say to each other.

import type { Linked } from '../../link/linker.ts';
import type { Site } from './site.ts';

/** A mention as the page has it. */
export interface PageMention {
  word: string;
  sentence: string;
  image: Blob | null;
}

/** First the site, then mentions; one that is overtaken by a later one is not answered. */
export type ToWorker = { site: Site; folder: string } | { id: number; mention: PageMention; top: number };

export type FromWorker =
  | { kind: 'loading'; bytes: number; ofBytes: number }
  | { kind: 'open' }
  /** Nothing can be linked here; `needsWebGpu`: since the browser has none. */
  | { kind: 'unusable'; problem: string; needsWebGpu: boolean }
  | { kind: 'found'; id: number; found: Linked[]; milliseconds: number }
  | { kind: 'failed'; id: number; problem: string };
