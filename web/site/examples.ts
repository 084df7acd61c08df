// The gallery: which mentions it shows, by a fixed rule, so that nobody picks the nice ones, and what is found for them. They
// are of dev, which was never to be kept apart as test is.

import type { Dataset, Entity, Mention } from '../../data/dataset.ts';
import type { Linked, Linker } from '../../link/linker.ts';
import { hasWord } from '../page/address.ts';
import { type Example, isRight, shownAttention, storedEntities } from '../page/site.ts';

const mostExamples = 20;
/** How many of them are linked to a wrong entity. */
const failures = 2;
/** Mentions that are linked to find them, and those that are linked at once. */
const mostLinked = 240;
const batch = 60;

/** An example whose picture still lies in the data set. */
export type FoundExample = Omit<Example, 'image'> & { image: string | null };

/**
 * Links mentions from all over dev whose word stands in the sentence and whose name several entities have. Takes some that are
 * right, with a picture and without in turn, and the first for which the right entity is among the best but not the best. None
 * for a data set without mentions.
 */
export async function findExamples(
  { entities, splits }: Pick<Dataset, 'entities' | 'splits'>,
  linker: Linker,
): Promise<FoundExample[]> {
  const named = new Map<string, number>();
  for (const { name } of entities) named.set(name, (named.get(name) ?? 0) + 1);
  const usable = splits.dev.filter(({ word, sentence }) => hasWord(sentence, word));
  const ambiguous = usable.filter(({ entity }) => named.get(entities[entity]!.name)! > 1);
  const mentions = spread(ambiguous.length > 0 ? ambiguous : usable, mostLinked);
  const all: FoundExample[] = [];
  for (let first = 0; first < mentions.length; first += batch) {
    const some = mentions.slice(first, first + batch);
    const found = await linker.link(some, { top: storedEntities, explain: true });
    for (const [i, mention] of some.entries()) all.push(exampleOf(mention, entities, found[i]!));
  }
  const taken = new Set<string>();
  const isNew = ({ gold: { name } }: FoundExample) => !taken.has(name) && taken.add(name);
  const wrong = all
    .filter((one) => !isRight(one) && one.found.some(({ qid }) => qid === one.gold.qid))
    .filter(isNew)
    .slice(0, failures);
  const right = all.filter(isRight).filter(isNew);
  const [shown, without] = [true, false].map((has) => right.filter(({ image }) => (image !== null) === has));
  const most = mostExamples - wrong.length;
  const half = Math.max(Math.floor(most / 2), most - without!.length);
  const withImage = spread(shown!, half);
  const mixed = inTurn(withImage, spread(without!, most - withImage.length));
  // A failure in each half, so that both are seen.
  return [...mixed.slice(0, 6), ...wrong.slice(0, 1), ...mixed.slice(6), ...wrong.slice(1)];
}

function exampleOf(
  { word, sentence, image, entity }: Mention,
  entities: readonly Entity[],
  found: Linked[],
): FoundExample {
  const { qid, name, attributes } = entities[entity]!;
  return { word, sentence, image, gold: { qid, name, attributes }, found: found.map(withShownAttention) };
}

/** Of all attention only what the page shows, in as many digits as it needs: it is most of an example otherwise. */
function withShownAttention(linked: Linked): Linked {
  const { explanation } = linked;
  const shown = shownAttention(linked);
  if (!explanation || !shown) return linked;
  const rounded = (weight: number) => Math.round(1e3 * weight) / 1e3;
  const { word, sentence } = shown.attention;
  const attention = {
    word: rounded(word),
    sentence: sentence.map(({ start, end, weight }) => ({ start, end, weight: rounded(weight) })),
  };
  return { ...linked, explanation: { ...explanation, attention: { [shown.expert]: attention } } };
}

/** At most so many, evenly from the first to the last. */
function spread<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, all.length / most);
  return Array.from({ length: Math.min(all.length, most) }, (_, i) => all[Math.floor(i * step)]!);
}

function inTurn<T>(a: readonly T[], b: readonly T[]): T[] {
  const pairs = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i], b[i]]);
  return pairs.flat().filter((one) => one !== undefined);
}
