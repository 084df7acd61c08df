// What is said of a concept: its names, and the attributes by which encoders know its entity.

import type { Concept } from './concept.ts';
import { rudeWord } from './concept.ts';
import { wordsOf } from './glosses.ts';
import type { WordNet } from './wordnet.ts';
import { kindsOf, relatedWords } from './wordnet.ts';

const aliasesInText = 4;

/**
 * `type kinds aliases facts example parts whole topic`, no labels and no punctuation between them. Every field but the
 * facts of countries comes from WordNet, so that it says nothing of whether the entity has a picture. Short: a tiny
 * encoder reads 32 tokens.
 */
export function attributesOf(wordNet: WordNet, concept: Concept): string {
  const { synset } = concept;
  const fields = [
    synset.type,
    ...kindsOf(wordNet, synset, 3),
    ...aliasesOf(concept).slice(0, aliasesInText),
    ...concept.facts,
    ...relatedWords(wordNet, synset),
  ];
  return distinct(fields, concept.name).join(' ');
}

/** All names but the first: those that a mention may use, then further ones. */
export function aliasesOf(concept: Concept): string[] {
  const used = wordsOf(concept);
  const others = [...concept.aliases, ...concept.synset.words].filter(
    (word) => !used.includes(word) && !rudeWord.test(word),
  );
  return distinct([...used, ...others], concept.name);
}

/** The texts that differ from `name` and from one another by more than case, accents and full stops. */
function distinct(texts: string[], name: string): string[] {
  const seen = new Set([spelling(name)]);
  return texts.filter((text) => !seen.has(spelling(text)) && seen.add(spelling(text)));
}

/** What makes two names the same to a reader: 'Ga.' is 'GA', 'Türkiye' is 'Turkiye'. */
function spelling(name: string): string {
  return name
    .normalize('NFD')
    .replace(/[\u0300-\u036f.]/g, '')
    .replaceAll('’', "'")
    .toLowerCase();
}
