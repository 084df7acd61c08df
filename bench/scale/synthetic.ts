// Makes data sets of any size in MIMIC's layout, for measuring loading, indexing and ranking at the scale of the public
// data sets (WikiMEL: 109,976 entities), which cannot be shipped. Names and sentences are recombined from MELBench's
// release where there is one, else from a few built-in ones. Attributes have the form and about the lengths of WikiMEL's:
// fields and numbers of values are drawn as often as they occur in 50 of its entities, whose texts have 43 CLIP tokens in
// the mean, 41 in the median, 79 at 95 %. Answers are drawn at random: ranks mean nothing here. Images are named, not
// written.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeName } from '../../data/dataset.ts';
import { readMelbench } from '../../data/melbench/melbench.ts';
import type { EntityRow, MentionRow } from '../../data/melbench/melbench-layout.ts';
import { writeFileAtomically } from '../../files/atomic-file.ts';
import { generator } from '../../tests/support/random.ts';

/** Where names and sentences come from. */
export interface Source {
  given: string[];
  family: string[];
  sentences: { word: string; sentence: string }[];
}

export interface SyntheticKb {
  entities: number;
  /** Mentions in all; 70 % / 10 % / 20 % of them in the splits. */
  mentions: number;
  /** Which part of the entities and mentions names an image. */
  imageShare: number;
  seed: number;
}

const SPLIT_ENDS = { train: 0.7, dev: 0.8, test: 1 };

/** Writes the data set SYNTHETIC into `folder`; the same options give the same bytes. */
export async function writeSyntheticKb(folder: string, options: SyntheticKb, source: Source): Promise<void> {
  const { entities, mentions, imageShare, seed } = options;
  const random = generator(seed);
  await mkdir(folder, { recursive: true });
  const names: string[] = [];
  await writeRows(join(folder, 'kb_entity.json'), entities, (id): EntityRow => {
    const name = `${pick(random, source.given)} ${pick(random, source.family)}`;
    names.push(name);
    const qid = `Q${id + 1}`;
    return {
      id,
      qid,
      entity_name: encodeName(name),
      attr: attributes(random, source),
      type: 'entity',
      image_list: random() < imageShare ? [`${qid}_0.jpg`] : [],
    };
  });
  const ids = Object.fromEntries(names.map((_, id) => [`Q${id + 1}`, id]));
  await writeText(join(folder, 'qid2id.json'), `${JSON.stringify(ids)}\n`);

  let first = 0;
  for (const [split, end] of Object.entries(SPLIT_ENDS)) {
    const last = Math.round(mentions * end);
    const start = first;
    await writeRows(join(folder, `SYNTHETIC_${split}.json`), last - start, (i): MentionRow => {
      const answer = Math.floor(random() * entities);
      const word = names[answer]!.split(' ').at(-1)!;
      const context = pick(random, source.sentences);
      return {
        id: String(start + i),
        sentence: context.sentence.replace(context.word, () => word),
        mentions: encodeName(word),
        entities: names[answer]!,
        answer: `Q${answer + 1}`,
        imgPath: random() < imageShare ? `${start + i}.jpg` : '',
      };
    });
    first = last;
  }
}

/** Names and sentences of MELBench's zips in `folder`; the built-in ones where there are none. */
export async function sourceFrom(folder: string): Promise<Source> {
  const zips = ['Wikidata-MEL.zip', 'Richpedia-MEL.zip'].map((name) => join(folder, name)).filter(existsSync);
  if (zips.length === 0) return BUILT_IN;
  const samples = (await Promise.all(zips.map(readMelbench))).flatMap((release) => release.samples);
  const mentions = samples.flatMap(({ sentence, mentions }) =>
    mentions.map((each) => ({ ...each, sentence })),
  );
  const parts = mentions.map(({ entity }) => entity.split(' '));
  return {
    given: parts.map((words) => words.slice(0, Math.max(1, words.length - 1)).join(' ')),
    family: parts.map((words) => words.at(-1)!),
    sentences: mentions.map(({ word, sentence }) => ({ word, sentence })),
  };
}

/** A text like `Sex: male. Birth: 1869, Winchester. Occupation: farmer, politician.` */
function attributes(random: () => number, source: Source): string {
  const has = (share: number): boolean => random() < share;
  const several = (values: readonly string[], counts: readonly number[]): string =>
    Array.from({ length: pick(random, counts) }, () => pick(random, values)).join(', ');
  const born = 1750 + Math.floor(250 * random());
  const place = (): string => `${pick(random, PLACES)}`;
  const fields: (string | false)[] = [
    `Sex: ${has(0.77) ? 'male' : 'female'}`,
    `Birth: ${born}, ${place()}`,
    has(0.48) && `Death: ${born + 30 + Math.floor(60 * random())}, ${place()}`,
    has(0.1) && `Religion: ${pick(random, RELIGIONS)}`,
    `Occupation: ${several(OCCUPATIONS, OCCUPATION_COUNTS)}`,
    has(0.2) && `Spouse: ${pick(random, source.given)} ${pick(random, source.family)}`,
    has(0.66) && `Languages: ${several(LANGUAGES, LANGUAGE_COUNTS)}`,
    has(0.36) && `Alma mater: ${several(SCHOOLS, SCHOOL_COUNTS)}`,
  ];
  return `${fields.filter((field) => field !== false).join('. ')}.`;
}

function pick<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!;
}

/** A JSON array, one row a line, a thousand rows a write. */
async function writeRows(file: string, rows: number, rowAt: (index: number) => object): Promise<void> {
  const encoder = new TextEncoder();
  await writeFileAtomically(file, async (append) => {
    for (let start = 0; start < rows; start += 1000) {
      const part = Array.from({ length: Math.min(1000, rows - start) }, (_, i) =>
        JSON.stringify(rowAt(start + i)),
      );
      await append(encoder.encode(`${start === 0 ? '[\n' : ',\n'}${part.join(',\n')}`));
    }
    await append(encoder.encode('\n]\n'));
  });
}

async function writeText(file: string, content: string): Promise<void> {
  await writeFileAtomically(file, (append) => append(new TextEncoder().encode(content)));
}

// How many values the fields of 50 entities have.
const OCCUPATION_COUNTS = [
  ...Array(21).fill(1),
  ...Array(15).fill(2),
  ...Array(7).fill(3),
  4,
  6,
  7,
  7,
  11,
  12,
  14,
] as number[];
const LANGUAGE_COUNTS = [...Array(31).fill(1), 2, 3] as number[];
const SCHOOL_COUNTS = [...Array(11).fill(1), 2, 2, 2, 2, 3, 4, 4] as number[];

const PLACES = (
  'Erie|Belo Horizonte|Winchester|Philadelphia|Michendorf|Chicago|Chernigov Governorate|Saint Petersburg|Brunswick|' +
  'Amarillo|Munich|Plettenberg|Fort Worth|Budapest|Hagen|Saarbrücken|Naples|Saint Paul|Haifeng County|Hamburg|' +
  'Slovenj Gradec|Devanahalli|Reno|Zagreb|Omaha|Mondovì|Milan|Riga|Takasaki|Le Mans|Guayaquil|Mühlhausen/Thüringen|' +
  'London Borough of Hackney|Walldürn|Waverly|Dresden|Los Angeles|Winona|Nuremberg|Wesel'
).split('|');
const OCCUPATIONS = (
  'politician|actor|film actor|association football player|lawyer|writer|singer|stage actor|television actor|' +
  'screenwriter|composer|diplomat|film director|journalist|military personnel|painter|voice actor|film producer|' +
  'alpine skier|economist|historian|jurist|musician|novelist|philosopher|photographer|poet|police officer|translator|' +
  'university teacher|baseball player|racing driver|civil rights advocate|television presenter'
).split('|');
const RELIGIONS = ['Catholicism', 'Islam', 'Hinduism', 'Catholic Church', 'Lutheranism', 'Zoroastrianism'];
const LANGUAGES = 'English|German|French|Italian|Spanish|Japanese|Hungarian|Hindi|Russian|Gujarati'.split(
  '|',
);
const SCHOOLS = (
  'primary school|London School of Economics|University of Texas at Arlington|Bard College|Trinity School|' +
  'Dortmund University of Applied Sciences and Arts|Waseda University|John F. Kennedy School of Government|' +
  'University of Missouri|Inner Temple|University College London|FernUniversität Hagen|University of Fribourg|' +
  'Cornell College|University of Iowa College of Law|Bauhaus University|University of Erlangen-Nuremberg'
).split('|');
const BUILT_IN: Source = {
  given: [
    'Ada',
    'Charles L.',
    'Friedrich Wilhelm',
    'Grace',
    'Maria da',
    'José',
    'Wilhelmina',
    'Noël',
    'Jan van',
  ],
  family: [
    'Lovelace',
    'Smith',
    'Hopper',
    'Müller',
    'Silva',
    'Aken',
    'Beaumont',
    'Robertson',
    'Ōe',
    'Brandenburg',
  ],
  sentences: [
    { word: 'Robertson', sentence: 'Robertson as a member of the Milwaukee Bucks' },
    { word: 'Smith', sentence: 'Seattle Mayor Charles L. Smith (left) with Will Rogers, circa 1935.' },
    { word: 'Meeker', sentence: 'Meeker in a stage production of Picnic, 1954' },
  ],
};
