// Mentions in ordinary sentences, which were written for this data set (sentences.tsv).

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Split } from '../entity-mention.ts';
import type { Concept, ConceptMention } from './concept.ts';

const file = fileURLToPath(new URL('sentences.tsv', import.meta.url));

/** A mention for each sentence, without a picture so far. */
export function sentenceMentions(concepts: readonly Concept[]): ConceptMention[] {
  const sentences = readSentences();
  const mentions = concepts.flatMap((concept) => {
    const { offset } = concept.synset;
    const own = sentences.get(offset) ?? [];
    sentences.delete(offset);
    return own.map((marked, k): ConceptMention => {
      const { word, sentence } = unmarked(marked);
      return { id: `s${offset}_${k}`, kind: 'sentence', concept, word, sentence, picture: null };
    });
  });
  for (const offset of sentences.keys())
    throw new Error(`sentences.tsv: ${offset}: no concept of the data set`);
  return mentions;
}

/**
 * The splits with the concepts that have none so far, for want of a gloss: they train. So sentences of dev and test are of the
 * same entities as the glosses there, whose figures they stand beside.
 */
export function withSplitsOfOthers(
  concepts: readonly Concept[],
  splits: ReadonlyMap<Concept, Split>,
): Map<Concept, Split> {
  return new Map(concepts.map((concept) => [concept, splits.get(concept) ?? 'train']));
}

/** Sentences with their mention in brackets, by the offset of the synset. */
function readSentences(): Map<string, string[]> {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1);
  return new Map(
    lines.map((line) => {
      const [offset, ...sentences] = line.split('\t');
      return [offset!, sentences];
    }),
  );
}

function unmarked(text: string): { word: string; sentence: string } {
  const [before, word, after] = text.split(/[[\]]/);
  if (after === undefined) throw new Error(`sentences.tsv: ${text}: no mention in brackets`);
  return { word: word!, sentence: `${before}${word}${after}` };
}
