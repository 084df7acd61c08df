// The data set's countries, territories and US states: their WordNet synsets, further names, facts and flag icons.
// Knows countries-list, emojibase's flag labels and WordNet; draws nothing.
import { readFileSync } from 'node:fs';
import type { Synset, WordNet } from './wordnet.ts';
import { parentsOf, related } from './wordnet.ts';

export interface Place {
  synset: Synset;
  name: string;
  /** Names besides WordNet's. */
  aliases: string[];
  facts: string[];
  /** ISO 3166 code in lower case: 'tr', 'us-ga'. */
  code: string;
  /** Code points and label of the flag emoji; null where there is none (US states). */
  emoji: { hexcode: string; label: string } | null;
}

interface Country {
  name: string;
  native: string;
  alias?: string[];
  capital: string;
  continent: string;
}
interface Emoji {
  label: string;
  hexcode: string;
}

const CONTINENTS: Record<string, string> = {
  AF: 'Africa',
  AN: 'Antarctica',
  AS: 'Asia',
  EU: 'Europe',
  NA: 'North America',
  OC: 'Oceania',
  SA: 'South America',
};

/** Every country and territory that WordNet knows as a place, in the order of their codes. */
export function findCountries(wordNet: WordNet, packages: string): Place[] {
  const countries: Record<string, Country> = JSON.parse(
    readFileSync(`${packages}/countries-list/countries.min.json`, 'utf8'),
  );
  const emojis: Emoji[] = JSON.parse(readFileSync(`${packages}/emojibase-data/en/data.json`, 'utf8'));
  const taken = new Set<string>();
  return Object.keys(countries)
    .sort()
    .flatMap((code) => {
      const country = countries[code]!;
      const hexcode = [...code]
        .map((letter) => (0x1f1e6 + letter.charCodeAt(0) - 65).toString(16))
        .join('-')
        .toUpperCase();
      const flag = emojis.find((emoji) => emoji.hexcode === hexcode);
      const emojiName = flag?.label.replace(/^flag: /, '');
      const names = [country.name, ...(country.alias ?? []), emojiName, country.native]
        .filter((name): name is string => name !== undefined && isLatin(name))
        .flatMap(spellings);
      const synset = placeSense(wordNet, names, taken);
      if (synset === undefined) return [];
      taken.add(synset.offset);
      return [
        {
          synset,
          name: synset.words.find((word) => names.includes(word)) ?? synset.words[0]!,
          aliases: [...new Set(names)],
          facts: [country.capital, CONTINENTS[country.continent]!],
          code: code.toLowerCase(),
          emoji: flag ? { hexcode, label: `${emojiName}` } : null,
        },
      ];
    });
}

/** WordNet's fifty instances of "American state"; `code` from its postal abbreviation. */
export function findStates(wordNet: WordNet): Place[] {
  return [...wordNet.synsets.values()]
    .filter((synset) => related(wordNet, synset, '@i').some((kind) => kind.words[0] === 'American state'))
    .map((synset) => ({
      synset,
      name: synset.words[0]!,
      aliases: [],
      facts: [],
      code: `us-${synset.words.find((word) => /^[A-Z]{2}$/.test(word))?.toLowerCase() ?? 'none'}`,
      emoji: null,
    }));
}

/** The best sense of any of the names: a country before a realm before an island, nothing smaller than that. */
function placeSense(wordNet: WordNet, names: string[], taken: Set<string>): Synset | undefined {
  const offsets = [...new Set(names.flatMap((name) => wordNet.senses.get(name.toLowerCase()) ?? []))];
  const ranked = offsets
    .filter((offset) => !taken.has(offset))
    .map((offset) => wordNet.synsets.get(offset)!)
    .map((synset) => ({ synset, rank: placeRank(wordNet, synset) }))
    .filter(({ rank }) => rank > 0);
  ranked.sort((a, b) => b.rank - a.rank);
  return ranked[0]?.synset;
}

function placeRank(wordNet: WordNet, synset: Synset): number {
  const kinds = ancestors(wordNet, synset);
  if (/^(former|a former)/.test(synset.definition) || kinds.has('American state')) return 0;
  if (kinds.has('country')) return 3;
  if (kinds.has('domain') || kinds.has('city state')) return 2;
  if (kinds.has('island') || kinds.has('archipelago') || kinds.has('dependency')) return 1;
  return 0;
}

function ancestors(wordNet: WordNet, synset: Synset): Set<string> {
  const found = new Set<string>();
  const open = [synset];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const parent of parentsOf(wordNet, next)) {
      for (const word of parent.words) found.add(word);
      open.push(parent);
    }
  }
  return found;
}

/** A name as others write it: 'St. Lucia' also 'Saint Lucia', 'Myanmar (Burma)' both 'Myanmar' and 'Burma'. */
function spellings(name: string): string[] {
  const both = name.match(/^(.+) \((.+)\)$/);
  if (both !== null) return [both[1]!, both[2]!];
  const full = name.replace(/\bSt\. /, 'Saint ').replace(' & ', ' and ');
  return full === name ? [name] : [name, full];
}

function isLatin(name: string): boolean {
  return /^[\p{Script=Latin}\p{Mark} .,'’()&-]+$/u.test(name);
}
