// Which concepts there are: those that several vendors draw (concepts.tsv), countries and US states, and the other senses of
// their words.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Concept } from './concept.ts';
import type { IconSet } from './icons.ts';
import { emojiNames, findIcon, readIconSet, slug } from './icons.ts';
import type { Place } from './places.ts';
import { findCountries, findStates } from './places.ts';
import type { WordNet } from './wordnet.ts';
import { offsetOf } from './wordnet.ts';

const homonymsAWord = 4;
/** No homonym of a default data set is an insult, a drug or what one does not show children: by names and gloss. */
const offensive = new RegExp(
  'offensive|disparag|derogat|obscene|vulgar|ethnic slur|slang for|homosexual|prostitut|sexual|penis|shit|buttocks|' +
    'reproductive gland|unattractive|cocaine|narcotic|amphetamine|heroin|marijuana',
  'i',
);

const here = fileURLToPath(new URL('.', import.meta.url));

/** One concept for each synset of concepts.tsv; several emoji may show the same one. */
export function drawnConcepts(wordNet: WordNet, packages: string): Concept[] {
  const noto = readIconSet(packages, 'noto');
  const others = ['twemoji', 'fluent-emoji-flat', 'emojione', 'noto-v1'].map((name) =>
    readIconSet(packages, name),
  );
  const rows = readFileSync(`${here}concepts.tsv`, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t') as [string, string, string]);
  const found = new Map<string, Concept>();
  for (const [hexcode, label, qid] of rows) {
    const synset = wordNet.synsets.get(offsetOf(qid));
    if (synset === undefined) throw new Error(`concepts.tsv: ${label}: WordNet has no synset ${qid}`);
    const names = emojiNames([noto, ...others], hexcode, label);
    const concept = found.get(qid) ?? {
      synset,
      name: synset.words.find((word) => word.toLowerCase() === label.toLowerCase()) ?? synset.words[0]!,
      aliases: [],
      facts: [],
      entityPictures: [],
      mentionPictures: [],
    };
    concept.entityPictures.push(...drawings([noto], names));
    concept.mentionPictures.push(...drawings(others, names));
    found.set(qid, concept);
  }
  return [...found.values()];
}

/** Countries and states with flags. A flag that another place drew before is no picture of this one. */
export function flaggedPlaces(wordNet: WordNet, packages: string): Concept[] {
  const flag = readIconSet(packages, 'flag');
  const circle = readIconSet(packages, 'circle-flags');
  const twemoji = readIconSet(packages, 'twemoji');
  const emojione = readIconSet(packages, 'emojione');
  const drawnBefore = new Set<string>();
  const asConcept = (place: Place): Concept => {
    const label = place.emoji?.label ?? '';
    const emoji =
      place.emoji === null
        ? []
        : [
            ...drawings([twemoji], emojiNames([twemoji], place.emoji.hexcode, `flag-${label}`)),
            ...drawings(
              [emojione],
              [...new Set([label, ...place.aliases])].map((name) => `flag-for-${slug(name)}`),
            ),
          ];
    const isState = place.code.startsWith('us-');
    const entityPictures = isState
      ? drawings([circle], [place.code])
      : drawings([flag], [`${place.code}-4x3`]);
    const mentionPictures = isState ? [] : [...drawings([circle], [place.code]), ...emoji];
    const isNew = (svg: string): boolean => !drawnBefore.has(svg) && drawnBefore.add(svg) !== undefined;
    return {
      synset: place.synset,
      name: place.name,
      aliases: place.aliases,
      facts: place.facts,
      entityPictures: entityPictures.filter(isNew),
      mentionPictures: mentionPictures.filter(isNew),
    };
  };
  return [...findCountries(wordNet, packages), ...findStates(wordNet)].map(asConcept);
}

/** The other senses of the drawn concepts' words, named by the word they share. */
export function homonyms(wordNet: WordNet, drawn: Concept[]): Concept[] {
  const taken = new Set(drawn.map((concept) => concept.synset.offset));
  const found: Concept[] = [];
  for (const concept of drawn) {
    for (const word of concept.synset.words) {
      const senses = (wordNet.senses.get(word.toLowerCase()) ?? [])
        .filter((offset) => !taken.has(offset))
        .map((offset) => wordNet.synsets.get(offset)!)
        .filter((synset) => !offensive.test(`${synset.words.join(' ')} ${synset.definition}`));
      for (const synset of senses.slice(0, homonymsAWord)) {
        taken.add(synset.offset);
        const name = synset.words.find((other) => other.toLowerCase() === word.toLowerCase())!;
        found.push({ synset, name, aliases: [], facts: [], entityPictures: [], mentionPictures: [] });
      }
    }
  }
  return found;
}

function drawings(sets: IconSet[], names: string[]): string[] {
  return sets.flatMap((set) => findIcon(set, names) ?? []);
}
