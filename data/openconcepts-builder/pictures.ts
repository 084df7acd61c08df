// Pictures of mentions that do not tell whether the entity has one in the knowledge base. Of the first edition's mentions
// with a picture 87 % belonged to an entity with one, of those without 36 %, and a system that learnt this failed where
// nobody gives pictures. So a mention of an entity with a picture may come without, and one of an entity without may carry
// a picture that does not help. Every picture here is one that a gloss of the same split has.

import { mentionKinds, type Split } from '../entity-mention.ts';
import type { Concept, ConceptMention, Picture } from './concept.ts';
import { byHash, fraction } from './concept.ts';
import type { WordNet } from './wordnet.ts';
import { hypernymPath } from './wordnet.ts';

/** Part of the ordinary sentences that come with a picture. */
const illustrated = 1 / 3;
/** Part of the pictures that show the entity, where there are drawings of it. */
const helpful = 3 / 4;
/** An unhelpful picture is one of so many that are nearest in WordNet's hierarchy. */
const nearest = 8;

export interface PictureDealing {
  wordNet: WordNet;
  splits: ReadonlyMap<Concept, Split>;
  /** Whether the knowledge base has a picture of the concept. */
  isImaged: (concept: Concept) => boolean;
}

/**
 * The mentions with pictures dealt anew. Glosses of train have as many pictures as before, in the same part of the mentions
 * of entities with and without a picture; those of dev and test stay as they are, so that figures can be compared with those
 * of the first edition. Of the ordinary sentences of each split a third gets one, again the same part of both.
 */
export function dealPictures(mentions: readonly ConceptMention[], dealing: PictureDealing): ConceptMention[] {
  const choose = pictureChooser(mentions, dealing);
  const pictures = new Map<ConceptMention, Picture | null>();
  for (const split of ['train', 'dev', 'test'] as const) {
    for (const kind of mentionKinds) {
      if (kind === 'gloss' && split !== 'train') continue;
      const own = mentions.filter(
        (mention) => mention.kind === kind && dealing.splits.get(mention.concept) === split,
      );
      const part =
        kind === 'sentence' ? illustrated : own.filter(({ picture }) => picture !== null).length / own.length;
      for (const imaged of [true, false]) {
        const group = own.filter(({ concept }) => dealing.isImaged(concept) === imaged);
        dealTo(group, Math.round(part * group.length)).forEach((mention) => {
          pictures.set(mention, mention.picture ?? choose(mention));
        });
        for (const mention of group) if (!pictures.has(mention)) pictures.set(mention, null);
      }
    }
  }
  return mentions.map((mention) => {
    const picture = pictures.get(mention);
    return picture === undefined ? mention : { ...mention, picture };
  });
}

/** Which `count` mentions have a picture: those that have one already come first. */
function dealTo(mentions: readonly ConceptMention[], count: number): ConceptMention[] {
  const ordered = byHash(mentions, ({ id }) => `picture ${id}`);
  const having = ordered.filter(({ picture }) => picture !== null);
  return [...having, ...ordered.filter(({ picture }) => picture === null)].slice(0, count);
}

/**
 * A picture for a mention that has none: three times in four a drawing of its own entity, if there are some; else one of
 * another entity of the same split that shares no name with it, one of the eight nearest in WordNet's hierarchy.
 */
function pictureChooser(
  mentions: readonly ConceptMention[],
  { wordNet, splits }: PictureDealing,
): (mention: ConceptMention) => Picture {
  const drawings = new Map<Concept, Picture[]>();
  for (const { concept, picture } of mentions) {
    if (picture !== null) drawings.set(concept, [...(drawings.get(concept) ?? []), picture]);
  }
  const known = new Map(
    [...splits.keys()].map((concept) => {
      const path = hypernymPath(wordNet, concept.synset);
      return [concept, { path, names: namesOf(concept) }] as const;
    }),
  );
  return ({ id, concept }) => {
    const own = drawings.get(concept) ?? [];
    if (own.length > 0 && fraction(`helpful ${id}`) < helpful) return pick(own, `drawing ${id}`);
    const { path, names } = known.get(concept)!;
    const near = [...drawings.keys()]
      .filter((other) => splits.get(other) === splits.get(concept))
      .filter((other) => !known.get(other)!.names.some((name) => names.includes(name)))
      .map((other) => ({ other, shared: sharedLength(path, known.get(other)!.path) }));
    const least = near.map(({ shared }) => shared).sort((a, b) => b - a)[Math.min(nearest, near.length) - 1]!;
    const ordered = byHash(
      near.filter(({ shared }) => shared >= least),
      ({ other }) => `near ${id} ${other.synset.offset}`,
    );
    ordered.sort((a, b) => b.shared - a.shared);
    const { other } = pick(ordered.slice(0, nearest), `other ${id}`);
    return pick(drawings.get(other)!, `drawing ${id}`);
  };
}

function namesOf({ name, aliases, synset }: Concept): string[] {
  return [name, ...aliases, ...synset.words].map((word) => word.toLowerCase());
}

/** How many synsets two paths from the root have in common. */
function sharedLength(a: readonly string[], b: readonly string[]): number {
  const differs = a.findIndex((offset, i) => offset !== b[i]);
  return differs < 0 ? a.length : differs;
}

function pick<T>(items: readonly T[], key: string): T {
  return items[Math.floor(fraction(key) * items.length)]!;
}
