// Mentions whose sentences are glosses and examples of WordNet, and the splits of the entities that have some.

import type { Split } from '../entity-mention.ts';
import type { Concept, ConceptMention } from './concept.ts';
import { byHash, droppedImages, fraction, hasPictures, rudeWord, splitAt } from './concept.ts';

const imagelessMentions = 700;
const mentionImagesAnEntity = 4;

/** A mention for each picture of another vendor, and one without for many imageless entities. */
export function glossMentions(concepts: readonly Concept[]): ConceptMention[] {
  const imageless = concepts.filter(
    (concept) => concept.entityPictures.length === 0 && !hasPictures(concept),
  );
  const ordered = byHash(imageless, ({ synset }) => `mentioned ${synset.offset}`);
  const chosen = new Set(ordered.slice(0, imagelessMentions));
  const mentions = concepts.flatMap((concept) => {
    if (hasPictures(concept)) {
      return concept.mentionPictures.slice(0, mentionImagesAnEntity).map((_, k) => mentionOf(concept, k));
    }
    // A state's flag has one vendor only: it is linked by its text.
    return concept.entityPictures.length > 0 || chosen.has(concept) ? [mentionOf(concept, 0)] : [];
  });
  return mentions.map((mention, i) => ({ id: String(i), kind: 'gloss', ...mention }));
}

/** The k-th mention: names, sentences and pictures each take turns; some pictures are missing. */
function mentionOf(concept: Concept, k: number): Omit<ConceptMention, 'id' | 'kind'> {
  const words = wordsOf(concept);
  const word = words[k % words.length]!;
  const sentences = [`${concept.synset.definition}.`, ...concept.synset.examples];
  const svg = concept.mentionPictures[k];
  const offset = concept.synset.offset;
  const missing = svg === undefined || fraction(`mention ${offset} ${k}`) < droppedImages;
  return {
    concept,
    word,
    sentence: sentences[k % sentences.length]!,
    picture: missing ? null : { file: `m${offset}_${k}.jpg`, svg },
  };
}

/** Up to three words that a text would use for the concept: its name first, no abbreviations. */
export function wordsOf(concept: Concept): string[] {
  const rest = concept.synset.words.filter(
    (word) => word !== concept.name && word.length > 3 && !word.endsWith('.') && !rudeWord.test(word),
  );
  const isHomonym = concept.mentionPictures.length === 0 && concept.facts.length === 0;
  return isHomonym ? [concept.name] : [concept.name, ...rest].slice(0, 3);
}

/**
 * Each mentioned entity's split. Entities that share a sentence stay together, so that no sentence of test is seen in
 * training; imaged and imageless entities are dealt out separately, so that each split has its share of both.
 */
export function splitByEntity(
  concepts: readonly Concept[],
  mentions: readonly ConceptMention[],
): Map<Concept, Split> {
  const leader = new Map<Concept, Concept>();
  const firstWith = new Map<string, Concept>();
  const leaderOf = (concept: Concept): Concept => {
    const parent = leader.get(concept) ?? concept;
    return parent === concept ? concept : leaderOf(parent);
  };
  for (const { concept, sentence } of mentions) {
    const first = firstWith.get(sentence) ?? concept;
    firstWith.set(sentence, first);
    leader.set(leaderOf(concept), leaderOf(first));
  }
  const mentioned = new Set(mentions.map((mention) => mention.concept));
  const leaders = concepts.filter((concept) => mentioned.has(concept) && leaderOf(concept) === concept);
  const split = new Map<Concept, Split>();
  for (const imaged of [true, false]) {
    const dealt = byHash(
      leaders.filter((concept) => hasPictures(concept) === imaged),
      ({ synset }) => `split ${synset.offset}`,
    );
    dealt.forEach((concept, i) => {
      split.set(concept, splitAt(i, dealt.length));
    });
  }
  return new Map([...mentioned].map((concept) => [concept, split.get(leaderOf(concept))!]));
}
