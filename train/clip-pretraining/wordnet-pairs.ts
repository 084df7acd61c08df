// Text pairs from WordNet for pretraining: what a knowledge base would say of a sense of a word, and the
// word with the sense's gloss, as a mention would have it. Only senses outside the knowledge base, and none
// that shares a sentence with one inside: mentions of any split are made of those.

import { kindsOf, relatedWords, type Synset, type WordNet } from '../../data/openconcepts-builder/wordnet.ts';
import type { RandomStream } from '../random-stream.ts';

/** The senses of one word: together in a batch, they are each other's hard negatives. */
export interface Homonyms {
  word: string;
  senses: Synset[];
}

/** `entity` is `name : kinds and relations`, `mention` is `word : gloss.` of the same sense. */
export interface TextPair {
  entity: string;
  mention: string;
}

const mostSenses = 6;
const mostAliases = 3;

/**
 * Words with at least two senses outside the knowledge base, given by its qids `wn31-OFFSET-n`, and those
 * senses. Words of one sense would teach little: in a batch, the word itself tells the pair from all
 * others.
 */
export function homonymsOutside(wordNet: WordNet, qids: readonly string[]): Homonyms[] {
  const inside = new Set(qids.map((qid) => qid.slice('wn31-'.length, -'-n'.length)));
  const sentences = new Set([...inside].flatMap((offset) => sentencesOf(wordNet.synsets.get(offset))));
  const isOutside = (synset: Synset) =>
    !inside.has(synset.offset) && !sentencesOf(synset).some((sentence) => sentences.has(sentence));
  return [...wordNet.senses].flatMap(([word, offsets]) => {
    const senses = offsets.map((offset) => wordNet.synsets.get(offset)!).filter(isOutside);
    return senses.length > 1 ? [{ word, senses: senses.slice(0, mostSenses) }] : [];
  });
}

/** One pair for each sense of the word. */
export function textPairs(wordNet: WordNet, { word, senses }: Homonyms, draws: RandomStream): TextPair[] {
  return senses.map((synset) => {
    // Mentions go by any of a concept's names; homonyms share theirs.
    const name = draws.uniform() < 0.7 ? word : draws.pick(synset.words);
    const sentence = draws.uniform() < 0.75 ? `${synset.definition}.` : draws.pick(mentionSentences(synset));
    return { entity: `${name} : ${attributesOf(wordNet, synset, name)}`, mention: `${word} : ${sentence}` };
  });
}

/** `type kinds aliases example parts whole topic`, in the manner of the knowledge base's own attributes. */
function attributesOf(wordNet: WordNet, synset: Synset, name: string): string {
  const fields = [
    synset.type,
    ...kindsOf(wordNet, synset, 3),
    ...synset.words.slice(0, mostAliases + 1),
    ...relatedWords(wordNet, synset),
  ];
  const own = name.toLowerCase();
  return [...new Set(fields)].filter((field) => field.toLowerCase() !== own).join(' ');
}

function mentionSentences(synset: Synset): string[] {
  return [`${synset.definition}.`, ...synset.examples];
}

/** Gloss and examples as they compare: lower case, no marks at the end. */
function sentencesOf(synset: Synset | undefined): string[] {
  if (!synset) return [];
  return [synset.definition, ...synset.examples].map((text) => text.toLowerCase().replace(/[.;:,!? ]+$/, ''));
}
