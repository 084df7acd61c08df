// Mentions in ordinary sentences, which were written for this data set (sentences.tsv).

import { fileURLToPath } from 'node:url';
import type { Split } from '../entity-mention.ts';
import type { Concept, ConceptMention } from './concept.ts';
import { type MarkedSentence, readMarkedSentences } from './marked-sentences.ts';

const file = fileURLToPath(new URL('sentences.tsv', import.meta.url));

/** A mention for each sentence, without a picture so far. */
export async function sentenceMentions(concepts: readonly Concept[]): Promise<ConceptMention[]> {
  const sentences = new Map<string, MarkedSentence[]>();
  for (const marked of await readMarkedSentences(file))
    sentences.set(marked.offset, [...(sentences.get(marked.offset) ?? []), marked]);
  const mentions = concepts.flatMap((concept) => {
    const { offset } = concept.synset;
    const own = sentences.get(offset) ?? [];
    sentences.delete(offset);
    return own.map(
      ({ word, sentence }, k): ConceptMention => ({
        id: `s${offset}_${k}`,
        kind: 'sentence',
        concept,
        word,
        sentence,
        picture: null,
      }),
    );
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
