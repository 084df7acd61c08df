// Mentions in ordinary sentences, which were written for this data set (sentences.tsv).

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Split } from '../entity-mention.ts';
import type { Concept, ConceptMention } from './concept.ts';
import { byHash, splitAt } from './concept.ts';

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

/** The splits with those of concepts that have none so far, in the same proportions. */
export function withSplitsOfOthers(
  concepts: readonly Concept[],
  splits: ReadonlyMap<Concept, Split>,
): Map<Concept, Split> {
  const others = concepts.filter((concept) => !splits.has(concept));
  const dealt = byHash(others, ({ synset }) => `split ${synset.offset}`);
  return new Map([...splits, ...dealt.map((concept, i) => [concept, splitAt(i, dealt.length)] as const)]);
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
