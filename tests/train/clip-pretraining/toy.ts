// A toy data set, a toy WordNet and a toy teacher for the tests of pretraining.

import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '../../../engine/random.ts';
import type { Teacher } from '../../../train/clip-pretraining/pretrain-clip.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What toy mentions say, by split. */
export const toySentences = {
  train: [
    { word: 'mouse', sentence: 'a pointing device', entity: 1, kind: 'gloss' },
    { word: 'mouse', sentence: 'The mouse ate the cheese in our kitchen.', entity: 0, kind: 'sentence' },
    { word: 'mouse', sentence: 'My mouse has lost its cable again.', entity: 1, kind: 'sentence' },
    { word: 'apple', sentence: 'She bit into a red apple at lunch.', entity: 4, kind: 'sentence' },
    { word: 'rodent', sentence: 'A rodent ran along the bank.', entity: 0, kind: 'sentence' },
  ],
  dev: [
    { word: 'Georgia', sentence: 'He sailed from Georgia to Turkey.', entity: 2, kind: 'sentence' },
    { word: 'bowl', sentence: 'a round dish', entity: 5, kind: 'gloss' },
  ],
  test: [{ word: 'Georgia', sentence: 'Peaches grow in Georgia.', entity: 3, kind: 'sentence' }],
} as const;

/** Six entities, three with images of the real data set; a mouse, a device and a bowl are synsets of the toy WordNet. */
export function writeToyDataset(folder: string): void {
  const source = join(root, 'data/openconcepts/kb_image');
  const images = readdirSync(source).sort().slice(0, 3);
  for (const name of ['kb_image', 'mention_image']) mkdirSync(join(folder, name), { recursive: true });
  for (const image of images) copyFileSync(join(source, image), join(folder, 'kb_image', image));
  const names = ['mouse', 'mouse', 'Georgia', 'Georgia', 'apple', 'bowl'];
  const qids = ['00000001', '00000002', '00000102', '00000103', '00000104', '00000011'];
  const entities = names.map((name, id) => ({
    id,
    qid: `wn31-${qids[id]}-n`,
    entity_name: name,
    aliases: id === 0 ? ['rodent'] : [],
    attr: `thing number ${id} of its kind`,
    type: 'thing',
    image_list: images.slice(id, id + 1),
  }));
  const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
  write('kb_entity.json', entities);
  write('qid2id.json', Object.fromEntries(entities.map(({ qid, id }) => [qid, id])));
  for (const [split, mentions] of Object.entries(toySentences)) {
    const entries = mentions.map(({ word, sentence, entity, kind }, i) => ({
      id: `${i}`,
      sentence,
      mentions: word,
      entities: names[entity],
      answer: entities[entity]!.qid,
      imgPath: '',
      kind,
    }));
    write(`toy_${split}.json`, entries);
  }
}

/** Mice, banks, bowls and plants in WordNet's format, with a verb whose example speaks of a plant. */
export function writeToyWordNet(folder: string): void {
  const nouns = [
    ['00000001', '05', ['mouse', 'rodent'], 'small rodent with a long tail; "a mouse of the fields"'],
    ['00000002', '06', ['mouse'], 'a pointing device; "he moved the mouse"'],
    ['00000003', '14', ['bank'], 'a place where money is kept; "she went to the bank of England"'],
    ['00000004', '17', ['bank'], 'sloping land beside water; "they sat on the bank of the river"'],
    ['00000005', '06', ['bank'], 'a building for money; "He moved the mouse."'],
    ['00000006', '06', ['plant', 'works'], 'buildings for making things; "they built a large plant"'],
    ['00000007', '20', ['plant', 'flora'], 'a living thing without locomotion; "water the flora"'],
    ['00000011', '06', ['bowl'], 'a round dish'],
    ['00000012', '06', ['bowl'], 'a wooden ball'],
    ['00000013', '06', ['bowl'], 'an arena'],
    ['00000014', '06', ['bowl'], 'Peaches grow in Georgia'],
  ] as const;
  const verbs = [
    ['00000021', '35', ['water'], 'supply with water; "Water the plants every day"; "Water it"'],
    ['00000022', '35', ['move'], 'change place; "He moved the mouse."'],
  ] as const;
  mkdirSync(folder);
  const write = (part: string, mark: string, synsets: typeof nouns | typeof verbs | readonly []) => {
    const records = synsets.map(
      ([offset, file, words, gloss]) =>
        `${offset} ${file} ${mark} 0${words.length} ${words.map((word) => `${word} 0`).join(' ')} 000 | ${gloss}  `,
    );
    writeFileSync(join(folder, `data.${part}`), `  1 licence\n${records.join('\n')}\n`);
    const senses = new Map<string, string[]>();
    for (const [offset, , words] of synsets) {
      for (const word of words) senses.set(word, [...(senses.get(word) ?? []), offset]);
    }
    const index = [...senses].map(
      ([word, offsets]) => `${word} ${mark} ${offsets.length} 0 ${offsets.length} 0 ${offsets.join(' ')}  `,
    );
    writeFileSync(join(folder, `index.${part}`), `  1 licence\n${index.join('\n')}\n`);
  };
  write('noun', 'n', nouns);
  write('verb', 'v', verbs);
  write('adj', 'a', []);
  write('adv', 'r', []);
}

const teacherWidth = 24;

/** Each word is a random vector, a text the sum of its words' vectors: a bag of words can learn that. */
export const toyTeacher: Teacher = async (_, texts) => {
  const rows = new Float32Array(texts.length * teacherWidth);
  texts.forEach((text, i) => {
    const row = rows.subarray(i * teacherWidth, (i + 1) * teacherWidth);
    for (const word of [...(text.toLowerCase().match(/[a-z]+/g) ?? []), text]) {
      const seed = [...word].reduce((hash, letter) => (hash * 31 + letter.codePointAt(0)!) % 2 ** 31, 7);
      new Random(seed).words(teacherWidth).forEach((bits, j) => {
        row[j]! += bits / 2 ** 31 - 1;
      });
    }
    const length = Math.hypot(...row);
    for (let j = 0; j < teacherWidth; j++) row[j]! /= length;
  });
  return { rows, width: teacherWidth };
};

/** Settings by which a pretraining on toys takes seconds. */
export const small = {
  corpus: { contextWords: 1, mentions: true },
  training: { checkpointSteps: 2 },
  projection: { width: 8 },
  text: { vocabulary: 540, width: 16, heads: 2, layers: 2, length: 16 },
  map: { steps: 4, sensePairs: 6, spokenPairs: 2, spokenContrast: 1 },
  bag: { steps: 3, warmupSteps: 1, sensePairs: 6, contexts: 2, entities: 2, sentences: 2 },
  transformer: { steps: 5, warmupSteps: 1, sensePairs: 6, contexts: 2, entities: 2, sentences: 2 },
  homonyms: { steps: 2, warmupSteps: 1, spokenPairs: 3, contexts: 2 },
  vision: {
    width: 16,
    heads: 4,
    layers: 1,
    imageSize: 16,
    patchSize: 8,
    steps: 3,
    warmupSteps: 1,
    images: 2,
    pixelSide: 4,
    pixelAxes: 4,
  },
};
