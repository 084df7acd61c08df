// How well a linker does on sentences with a marked word: whether it finds the right entity, whether it tells the senses of
// a name apart, and whether it knows what it does not know.

import type { Linked, Linker } from '../../link/linker.ts';
import { areaUnderRoc, calibrationError } from '../../ranking/confidence.ts';
import type { Sentence } from './sentences.ts';

/** Shares in percent; null for what there is none of. */
export interface Quality {
  homonyms: {
    sentences: number;
    /** The first answer is right. */
    'hits@1': number | null;
    /** Among the entities of that name the right one is first, whatever others come before. */
    rightSense: number | null;
  };
  unambiguous: { sentences: number; 'hits@1': number | null };
  /** Of both: the first answer has the word as its name. */
  firstHasName: number | null;
  missing: {
    sentences: number;
    /** That a sentence whose entity is there has the more confident first answer, not one whose entity is missing. */
    auroc: number | null;
    /** The same, of missing ones whose word is some entity's name all the same. */
    aurocOfNames: number | null;
  };
  /** What `auroc` compares: the probability of being in the knowledge base, from a calibrated linker, else the score. */
  confidence: 'inKnowledgeBase' | 'score';
  /** Of the first answer's probability where the entity is not missing, from 0 to 1; null without probabilities. */
  calibrationError: number | null;
}

/** The most that a linker gives. */
const mostTop = 1000;

/** Links all sentences, without pictures, and compares. */
export async function linkSentences(
  linker: Pick<Linker, 'link'>,
  sentences: readonly Sentence[],
): Promise<Quality> {
  const mentions = sentences.map(({ word, sentence }) => ({ word, sentence }));
  // Far enough down for the other senses of a name; those that are not there come after those that are.
  return qualityOf(sentences, await linker.link(mentions, { top: mostTop }));
}

/** The figures of answers, each sentence's best first. */
function qualityOf(sentences: readonly Sentence[], answers: readonly (readonly Linked[])[]): Quality {
  const all = sentences.map(({ word, entity, type }, i) => {
    const found = answers[i]!;
    const named = found.filter(({ name }) => hasName(name, word));
    const [first] = found;
    return {
      type,
      isRight: first!.qid === entity,
      isRightSense: named[0]?.qid === entity,
      isName: named.length > 0,
      firstHasName: first === named[0],
      first: first!,
    };
  });
  const of = (type: Sentence['type']) => all.filter((each) => each.type === type);
  const [homonyms, unambiguous, missing] = [of('homonym'), of('unambiguous'), of('missing')];
  const linkable = [...homonyms, ...unambiguous];
  const isCalibrated = all.every(({ first }) => first.inKnowledgeBase !== null);
  const confidences = (those: typeof all) => those.map(({ first }) => first.inKnowledgeBase ?? first.score);
  const auroc = (those: typeof all) =>
    linkable.length > 0 && those.length > 0 ? areaUnderRoc(confidences(linkable), confidences(those)) : null;
  return {
    homonyms: {
      sentences: homonyms.length,
      'hits@1': percent(homonyms.map(({ isRight }) => isRight)),
      rightSense: percent(homonyms.map(({ isRightSense }) => isRightSense)),
    },
    unambiguous: {
      sentences: unambiguous.length,
      'hits@1': percent(unambiguous.map(({ isRight }) => isRight)),
    },
    firstHasName: percent(linkable.map(({ firstHasName }) => firstHasName)),
    missing: {
      sentences: missing.length,
      auroc: auroc(missing),
      aurocOfNames: auroc(missing.filter(({ isName }) => isName)),
    },
    confidence: isCalibrated ? 'inKnowledgeBase' : 'score',
    calibrationError: isCalibrated
      ? calibrationError(
          linkable.map(({ first }) => first.probability!),
          linkable.map(({ isRight }) => isRight),
        )
      : null,
  };
}

/** Whether a word in a sentence is this name: without case, and also its plural in -s. */
function hasName(name: string, word: string): boolean {
  const [plain, own] = [name.toLowerCase(), word.toLowerCase()];
  return own === plain || own === `${plain}s`;
}

function percent(holds: readonly boolean[]): number | null {
  return holds.length === 0 ? null : (100 * holds.filter(Boolean).length) / holds.length;
}
