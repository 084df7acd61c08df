// Batches of texts: pairs of senses, all senses of a word together; ordinary sentences with their entities, all entities of
// a name together; and texts that are distilled only.

import { Cycle, type RandomStream } from '../../random-stream.ts';
import type { StudentSettings } from '../clip-schema.ts';
import type { Corpus, Sense, SpokenEntity } from './corpus.ts';

/** How many of each kind are in a batch. */
export interface TextCounts {
  /** Senses of words with an entity's text and a mention's. */
  pairs: number;
  /** Training entities with an ordinary sentence; a little more, where the last one's name has more. */
  spoken: number;
  /** Texts that are distilled only, by where they come from. */
  others: Record<'contexts' | 'entities' | 'sentences' | 'sentenceContexts', number>;
}

/** The counts that a phase is told. */
export function countsOf({ sensePairs, spokenPairs, ...others }: StudentSettings): TextCounts {
  return { pairs: sensePairs, spoken: spokenPairs, others };
}

/** Pairs that are each other's negatives: rows first.. are entities' texts, rows first + count.. the mentions'. */
interface PairSet {
  first: number;
  count: number;
  /** What each pair means: pairs of one meaning are no negatives. */
  meanings: readonly (string | number)[];
}

/** A step's texts by their rows in the corpus, and what of them are pairs. */
export interface TextStep {
  rows: number[];
  senses: PairSet;
  spoken: PairSet;
}

/** Goes through the corpus again and again; the same draws give the same batches. */
export class TextBatches {
  #corpus: Corpus;
  #counts: TextCounts;
  #draws: RandomStream;
  #words: Cycle<Sense[]>;
  #spoken: Cycle<SpokenEntity>;
  #others: { count: number; rows: Cycle<number> }[];

  constructor(corpus: Corpus, counts: TextCounts, draws: RandomStream) {
    this.#corpus = corpus;
    this.#counts = counts;
    this.#draws = draws;
    this.#words = new Cycle(corpus.words, draws);
    this.#spoken = new Cycle(corpus.spoken, draws);
    this.#others = (['contexts', 'entities', 'sentences', 'sentenceContexts'] as const).map((kind) => ({
      count: counts.others[kind],
      rows: new Cycle(corpus[kind], draws),
    }));
  }

  next(): TextStep {
    const senses = this.#words.fill(this.#counts.pairs, (word) => word.length).flat();
    const spoken = this.#nextSpoken();
    const rows = [
      ...senses.map((sense) => this.#draws.pick(sense.entities)),
      ...senses.map(({ mentions }) => this.#draws.pick(mentions)),
      ...spoken.map(({ entity }) => this.#corpus.entities[entity]!),
      ...spoken.map(({ sentences }) => this.#draws.pick(sentences)),
      ...this.#others.flatMap(({ count, rows }) => rows.fill(count, () => 1)),
    ];
    return {
      rows,
      senses: { first: 0, count: senses.length, meanings: senses.map(({ synset }) => synset) },
      spoken: {
        first: 2 * senses.length,
        count: spoken.length,
        meanings: spoken.map(({ entity }) => entity),
      },
    };
  }

  /** Entities in turn, each followed by those that share the name by which one of its sentences calls it. */
  #nextSpoken(): SpokenEntity[] {
    const all = this.#corpus.spoken;
    const count = Math.min(this.#counts.spoken, all.length);
    const taken = new Set<SpokenEntity>();
    while (taken.size < count) {
      const next = this.#spoken.next();
      taken.add(next);
      for (const other of this.#draws.pick(next.homonyms)) taken.add(all[other]!);
    }
    return [...taken];
  }
}
