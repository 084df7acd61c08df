// What is in site.json: the parts of a site, as the command that writes it and the page that reads it know them.

import type { KernelVariant } from '../../engine/device/pipelines.ts';
import type { Linked } from '../../link/linker.ts';

export interface Site {
  /** Of what the site holds; it changes with any of its files. */
  version: string;
  /** The data set's name. */
  name: string;
  /** What answers. */
  system: string;
  entities: number;
  /** Files that linking reads, packed by gzip. */
  files: SiteFile[];
  pictures: Pictures & { source: string; bytes: number };
  examples: Example[];
  /** The kernels that a first answer needs, on a CPU adapter and on a GPU. */
  kernels: Record<'cpu' | 'gpu', KernelVariant[]>;
}

/** Thumbnails: one file with all of them, at an address or at hand, and by entity where its own begins and ends. */
export interface Pictures {
  source: string | Blob;
  places: Record<string, [first: number, end: number]>;
}

export interface SiteFile {
  /** Where it is read, relative to the page; it lies there as PATH.gz. */
  path: string;
  bytes: number;
  packedBytes: number;
}

/** A mention with what was found for it when the site was made. */
export interface Example {
  word: string;
  sentence: string;
  /** Path of its picture; null for none. */
  image: string | null;
  /** The right entity. */
  gold: { qid: string; name: string; attributes: string };
  found: Linked[];
}

/** Entities that an example stores. */
export const storedEntities = 5;

/** Where the folders that the linker opens lie, relative to the page. */
export const siteFolders = { clip: 'model/clip', run: 'model/run', index: 'model/index' } as const;

/** Whether the right entity of an example comes first. */
export function isRight({ gold, found }: Pick<Example, 'gold' | 'found'>): boolean {
  return found[0]?.qid === gold.qid;
}

/** The header of site.json by which a page learns that its own server can link for it. */
export const serverMark = 'dsmip-links';

/** The attention of the expert that scored an entity, or where that reads no texts of another; null for none. */
export function shownAttention({ expert, explanation }: Pick<Linked, 'expert' | 'explanation'>) {
  const all = explanation?.attention ?? {};
  const [found] = Object.entries(all).sort(([a], [b]) => Number(b === expert) - Number(a === expert));
  return found ? { expert: found[0], attention: found[1] } : null;
}
