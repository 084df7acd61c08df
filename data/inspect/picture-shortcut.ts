// Whether a mention's picture tells that its entity has one in the knowledge base. A system that learns that fails where
// mentions come without pictures.

import type { Entity, Mention } from '../entity-mention.ts';

/** Percentages are null where there is no such mention. */
export interface PictureShortcut {
  mentions: number;
  /** Percent of the mentions that have a picture. */
  pictured: number | null;
  /** Percent whose entity has one, of mentions with a picture and of those without. */
  imagedOfPictured: number | null;
  imagedOfOthers: number | null;
  /** Mutual information of the two, in bits: 0 where the one says nothing of the other. */
  bits: number;
}

/** Counts how pictures of mentions and of their entities go together. */
export function shortcutOf(mentions: readonly Mention[], entities: readonly Entity[]): PictureShortcut {
  const count = (isPictured: boolean, isImaged: boolean) =>
    mentions.filter(
      ({ image, entity }) =>
        (image !== null) === isPictured && entities[entity]!.images.length > 0 === isImaged,
    ).length;
  const [both, pictured, imaged, neither] = [
    count(true, true),
    count(true, false),
    count(false, true),
    count(false, false),
  ];
  const total = mentions.length;
  const share = (part: number, rows: number, columns: number) =>
    part === 0 ? 0 : (part / total) * Math.log2((part * total) / (rows * columns));
  const percent = (part: number, whole: number) => (whole === 0 ? null : (100 * part) / whole);
  const withPicture = both + pictured;
  const without = imaged + neither;
  return {
    mentions: total,
    pictured: percent(withPicture, total),
    imagedOfPictured: percent(both, withPicture),
    imagedOfOthers: percent(imaged, without),
    bits:
      share(both, withPicture, both + imaged) +
      share(pictured, withPicture, pictured + neither) +
      share(imaged, without, both + imaged) +
      share(neither, without, pictured + neither),
  };
}
