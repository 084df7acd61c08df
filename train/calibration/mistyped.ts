// Mentions as people mistype them: what the weight of names that match but nearly is fitted on, since the words of a data
// set are mostly spelt as its entities are.

import pluralize from 'pluralize';
import type { Mention } from '../../data/entity-mention.ts';
import type { RandomStream } from '../random-stream.ts';

/** Shorter words stay as they are. */
const leastLetters = 5;
/** Part of the words that become plurals or singulars; the others get one typing error. */
const otherNumbers = 0.25;

/** The mention with its word in the other number or mistyped, in its sentence as well; null for a word that is too short. */
export function mistyped<M extends Pick<Mention, 'word' | 'sentence'>>(
  mention: M,
  draws: RandomStream,
): M | null {
  const { word, sentence } = mention;
  if ([...word].length < leastLetters) return null;
  const changed = draws.uniform() < otherNumbers ? otherNumber(word) : withError(word, draws);
  if (changed === word) return null;
  return { ...mention, word: changed, sentence: sentence.replaceAll(word, changed) };
}

function otherNumber(word: string): string {
  return pluralize.isPlural(word) ? pluralize.singular(word) : pluralize.plural(word);
}

/** A letter left out, doubled or replaced, or two exchanged; not the first one, which people get right. */
function withError(word: string, draws: RandomStream): string {
  const letters = [...word];
  const at = 1 + draws.below(letters.length - 2);
  const letter = letters[at]!;
  const replaced = {
    'left out': [],
    doubled: [letter, letter],
    replaced: [draws.pick([...'etaoinsrhl'])],
    exchanged: [letters[at + 1]!, letter],
  };
  const how = draws.pick(Object.keys(replaced) as (keyof typeof replaced)[]);
  letters.splice(at, how === 'exchanged' ? 2 : 1, ...replaced[how]);
  return letters.join('');
}
