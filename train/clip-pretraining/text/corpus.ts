// The texts that the text encoder is pretrained on, in the data set's two manners: `name : attributes` for an entity,
// `word : sentence` for a mention. They are WordNet's senses outside of the knowledge base, WordNet's example sentences,
// and ordinary sentences of training entities. Never a text that a synset of the knowledge base has, never a gloss that a
// mention of any split is made of, never a sentence of a dev or test entity, and no mention at all unless told to.

import { type Dataset, type Entity, entityText, type Mention, mentionText } from '../../../data/dataset.ts';
import type { MarkedSentence } from '../../../data/openconcepts-builder/marked-sentences.ts';
import {
  kindsOf,
  offsetOf,
  type PartOfSpeech,
  related,
  relatedWords,
  type Synset,
  type WordNet,
} from '../../../data/openconcepts-builder/wordnet.ts';
import { InputError } from '../../../files/errors.ts';
import type { RandomStream } from '../../random-stream.ts';
import { placesByName } from './by-name.ts';

/** WordNet by part of speech. */
export type WordNets = Readonly<Record<PartOfSpeech, WordNet>>;

/** One sense of a word: rows of `texts` that describe it as an entity does, and that mention it. */
export interface Sense {
  /** The synset's offset: words of one synset mean the same. */
  synset: string;
  entities: number[];
  mentions: number[];
}

/** What the text encoder is pretrained on. */
export interface Corpus {
  /** All texts, each once: first those of WordNet, then the knowledge base's, then sentences. */
  texts: string[];
  /** The senses of a word with at least two. */
  words: Sense[][];
  /** Rows of `texts`: an example sentence with one of its nouns as the word. */
  contexts: number[];
  /** Rows of `texts` by entity of the knowledge base. */
  entities: number[];
  /** Entities of the knowledge base that a training mention's ordinary sentence speaks of. */
  spoken: SpokenEntity[];
  /** Rows of `texts`: those sentences, with the mention as the word. */
  sentences: number[];
  /** Rows of `texts`: those sentences, with another of their nouns as the word. */
  sentenceContexts: number[];
}

/** An entity with its ordinary sentences, and those that share a name with one of them. */
export interface SpokenEntity {
  /** Row of the knowledge base. */
  entity: number;
  /** Rows of `texts`. */
  sentences: number[];
  /** For each sentence the entities, by place in `spoken`, that have its word for a name. */
  homonyms: number[][];
}

export interface CorpusOptions {
  /** At most so many texts of WordNet; 0: all. */
  limit: number;
  /** Nouns of an example or ordinary sentence that it is taken with as the word, at most. */
  contextWords: number;
  /** Ordinary sentences of training entities that are no mentions of the data set. */
  sentences: readonly MarkedSentence[];
  /**
   * Whether the training mentions' sentences are learnt from, too. An encoder knows by heart what it learnt from, so that
   * they would tell the trainings that come after it little.
   */
  mentions: boolean;
}

const mostSenses = 6;
const mostAliases = 3;
const mostExamples = 2;
/** What WordNet has as nouns, but ordinary sentences hardly ever. */
const functionWords = new Set(
  (
    'the and that this with from for her his its our your was were has have had not one two can will who out all over more ' +
    'than then them they their into off down back just about after before when while where which what been being are but you ' +
    'she him why how any some now may set get let put'
  ).split(' '),
);
/** Words that an example sentence has at the least. */
const leastWords = 4;

/** Collects the corpus; the same draws give the same texts in the same order. */
export function pretrainingCorpus(
  { entities, splits, unlinkable }: Pick<Dataset, 'entities' | 'splits' | 'unlinkable'>,
  wordNets: WordNets,
  { limit, contextWords, sentences: further, mentions: withMentions }: CorpusOptions,
  draws: RandomStream,
): Corpus {
  const inside = new Set(entities.map(({ qid }) => offsetOf(qid)));
  const mentions = [...Object.values(splits), ...Object.values(unlinkable)].flat();
  const bans = bannedTexts(inside, wordNets.noun, mentions);
  const isFree = (synset: Synset) => !sentencesOf(synset).some((text) => bans.has(comparable(text)));
  const isOutside = (synset: Synset) => !inside.has(synset.offset) && isFree(synset);
  const rows = new TextRows();

  const words = draws.shuffled(wordsOutside(wordNets.noun, isOutside));
  const nouns = nounForms(wordNets.noun);
  const isOf = { noun: isOutside, verb: isFree, adj: isFree, adv: isFree };
  const contexts = draws.shuffled(contextTexts(wordNets, nouns, isOf, contextWords, draws));
  const corpus: Pick<Corpus, 'words' | 'contexts'> = { words: [], contexts: [] };
  // Interleaved, so that a part of the corpus has both in their proportion.
  for (const [i, { word, senses }] of words.entries()) {
    if (limit > 0 && rows.texts.length >= limit) break;
    corpus.words.push(senses.map((synset) => senseOf(wordNets.noun, word, synset, rows)));
    const until = Math.ceil(((i + 1) * contexts.length) / words.length);
    for (const text of contexts.slice(Math.ceil((i * contexts.length) / words.length), until)) {
      corpus.contexts.push(rows.of(text));
    }
  }
  const entityRows = entities.map((entity) => rows.of(entityText(entity)));
  const ordinary = [
    ...splits.train.filter(({ kind }) => withMentions && kind === 'sentence'),
    ...furtherMentions(further, entities, splits, bans),
  ];
  const spoken = spokenEntities(entities, ordinary, rows);
  const sentences = ordinary.map((mention) => rows.of(mentionText(mention)));
  const others = otherNouns(ordinary, nouns, contextWords, draws);
  const sentenceContexts = others.map((text) => rows.of(text));
  return { ...corpus, entities: entityRows, spoken, sentences, sentenceContexts, texts: rows.texts };
}

/** What a sentence says of an entity, wherever it comes from. */
type Said = Pick<Mention, 'word' | 'sentence' | 'entity'>;

/**
 * Further sentences as mentions. Throws an `InputError` for one of an entity that is no training entity or that a mention
 * of any split says: what is trained must not know dev or test.
 */
function furtherMentions(
  sentences: readonly MarkedSentence[],
  entities: readonly Entity[],
  { train }: Pick<Dataset['splits'], 'train'>,
  bans: ReadonlySet<string>,
): Said[] {
  const trained = new Set(train.map(({ entity }) => entity));
  const rowOf = new Map(entities.map(({ qid }, row) => [offsetOf(qid), row]));
  return sentences.map(({ offset, word, sentence }) => {
    const entity = rowOf.get(offset);
    if (entity === undefined || !trained.has(entity))
      throw new InputError({
        file: 'sentences for pretraining',
        field: offset,
        expected: 'an entity of the training split',
      });
    if (bans.has(comparable(sentence)))
      throw new InputError({
        file: 'sentences for pretraining',
        field: offset,
        expected: 'no sentence of the data set',
        found: sentence,
      });
    return { word, sentence, entity };
  });
}

function spokenEntities(
  entities: readonly Entity[],
  sentences: readonly Said[],
  rows: TextRows,
): SpokenEntity[] {
  const places = new Map([...new Set(sentences.map(({ entity }) => entity))].map((entity, i) => [entity, i]));
  const byName = placesByName([...places.keys()].map((entity) => entities[entity]!));
  const spoken: SpokenEntity[] = [...places.keys()].map((entity) => ({
    entity,
    sentences: [],
    homonyms: [],
  }));
  for (const mention of sentences) {
    const place = places.get(mention.entity)!;
    spoken[place]!.sentences.push(rows.of(mentionText(mention)));
    const homonyms = byName.get(mention.word.toLowerCase()) ?? [];
    spoken[place]!.homonyms.push(homonyms.filter((other) => other !== place));
  }
  return spoken;
}

/** Numbers texts in the order in which they come, each once. */
class TextRows {
  readonly texts: string[] = [];
  #rows = new Map<string, number>();

  of(text: string): number {
    const known = this.#rows.get(text);
    if (known !== undefined) return known;
    this.#rows.set(text, this.texts.length);
    return this.texts.push(text) - 1;
  }
}

/**
 * What no text of WordNet may say: the glosses and examples of the knowledge base's synsets, and the sentences of all
 * mentions, as they compare.
 */
function bannedTexts(
  inside: ReadonlySet<string>,
  nouns: WordNet,
  mentions: readonly Mention[],
): ReadonlySet<string> {
  const synsets = [...inside].flatMap((offset) => nouns.synsets.get(offset) ?? []);
  return new Set(
    [...synsets.flatMap(sentencesOf), ...mentions.map(({ sentence }) => sentence)].map(comparable),
  );
}

/**
 * Words with at least two senses outside of the knowledge base. One sense would teach little: in a batch, the word itself
 * tells the pair from all others.
 */
function wordsOutside(nouns: WordNet, isOutside: (synset: Synset) => boolean) {
  return [...nouns.senses].flatMap(([word, offsets]) => {
    const senses = offsets.flatMap((offset) => nouns.synsets.get(offset) ?? []).filter(isOutside);
    return senses.length > 1 ? [{ word, senses: senses.slice(0, mostSenses) }] : [];
  });
}

function senseOf(nouns: WordNet, word: string, synset: Synset, rows: TextRows): Sense {
  const begins = new RegExp(`\\b${word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);
  const examples = synset.examples
    .slice(0, mostExamples)
    .filter((example) => begins.test(example.toLowerCase()));
  return {
    synset: synset.offset,
    entities: [rows.of(`${word} : ${attributesOf(nouns, synset, word)}`)],
    mentions: [`${synset.definition}.`, ...examples].map((sentence) => rows.of(`${word} : ${sentence}`)),
  };
}

/** `type kinds aliases example parts whole topic opposite`, in the manner of the knowledge base's own attributes. */
function attributesOf(nouns: WordNet, synset: Synset, name: string): string {
  const opposite = related(nouns, synset, '!')
    .slice(0, 1)
    .map(({ words }) => words[0]!);
  const fields = [
    synset.type,
    ...kindsOf(nouns, synset, 3),
    ...synset.words.slice(0, mostAliases + 1),
    ...relatedWords(nouns, synset),
    ...opposite,
  ];
  const seen = new Set([name.toLowerCase()]);
  return fields.filter((field) => !seen.has(field.toLowerCase()) && seen.add(field.toLowerCase())).join(' ');
}

/** `noun : example` for nouns of several senses in the example sentences of all parts of speech. */
function contextTexts(
  wordNets: WordNets,
  nouns: NounForms,
  isOf: Readonly<Record<PartOfSpeech, (synset: Synset) => boolean>>,
  most: number,
  draws: RandomStream,
): string[] {
  return (['verb', 'adj', 'adv', 'noun'] as const).flatMap((part) =>
    [...wordNets[part].synsets.values()].filter(isOf[part]).flatMap((synset) => {
      // The word that an example is for is of another part of speech there.
      const own = new Set(part === 'noun' ? [] : synset.words.map((word) => word.toLowerCase()));
      return synset.examples.flatMap((example) => {
        const words = wordsOf(example);
        if (words.length < leastWords) return [];
        const others = words.filter(
          (word) => nouns.has(word) && !own.has(word) && !own.has(nouns.get(word)!),
        );
        return withSome(others, example, most, draws);
      });
    }),
  );
}

/** `noun : sentence` for nouns of several senses that a mention's sentence has beside the mention. */
function otherNouns(
  mentions: readonly Said[],
  nouns: NounForms,
  most: number,
  draws: RandomStream,
): string[] {
  return mentions.flatMap(({ word, sentence }) => {
    const own = word.toLowerCase();
    const others = wordsOf(sentence).filter(
      (other) => nouns.has(other) && !functionWords.has(other) && !own.includes(other),
    );
    return withSome(others, sentence, most, draws);
  });
}

/** A text's words of two letters and more, in lower case. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z][a-z'-]+/g) ?? [];
}

/** `noun : sentence` for at most so many of the nouns, each once. */
function withSome(nouns: readonly string[], sentence: string, most: number, draws: RandomStream): string[] {
  return draws
    .shuffled([...new Set(nouns)])
    .slice(0, most)
    .map((noun) => `${noun} : ${sentence}`);
}

/** Nouns of several senses by their singular and plural forms. */
type NounForms = ReadonlyMap<string, string>;

function nounForms(nouns: WordNet): NounForms {
  const forms = new Map<string, string>();
  for (const lemma of nouns.senses.keys()) {
    if (lemma.includes(' ') || lemma.length < 3) continue;
    for (const form of [lemma, `${lemma}s`, `${lemma}es`]) if (!forms.has(form)) forms.set(form, lemma);
  }
  for (const [form, lemma] of forms) if (nouns.senses.get(lemma)!.length < 2) forms.delete(form);
  return forms;
}

/** Gloss and examples. */
function sentencesOf({ definition, examples }: Synset): string[] {
  return [definition, ...examples];
}

/** A sentence as it compares: lower case, no marks at the end. */
function comparable(text: string): string {
  return text.toLowerCase().replace(/[.;:,!? ]+$/, '');
}
