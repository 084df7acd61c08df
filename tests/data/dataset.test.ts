// The reader of MIMIC's layout: the published data's quirks, and one line for every kind of damage.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { entityText, mentionText, readDataset } from '../../data/dataset.ts';

type Files = Record<string, unknown>;

const kb = [
  {
    id: 0,
    qid: 'Q1',
    entity_name: 'Caf%C3%A9',
    attr: 'place',
    type: 'entity',
    image_list: ['Q1_0.jpg', 'Q1_1.jpg'],
  },
  { id: 3, qid: 'Q2', entity_name: '100% pure', attr: '', type: 'entity', image_list: '' },
  { id: 7, qid: 'Q3', entity_name: 'mouse', attr: 'animal', image_list: [] },
];
const mention = {
  id: 'a1',
  sentence: 'A %20 sentence.',
  mentions: 'caf%C3%A9',
  entities: 'x',
  answer: 'Q1',
  imgPath: 'a/b/x.y.png',
};

function files(changes: Files = {}): Files {
  return {
    'kb_entity.json': kb,
    'qid2id.json': { Q1: 0, Q2: 3, Q3: 7, Q9: 99 },
    'WIKIMEL_train.json': [
      mention,
      { ...mention, id: 5, answer: 'nil' },
      { ...mention, answer: 'Q3', imgPath: '' },
    ],
    'WIKIMEL_dev.json': [{ ...mention, answer: 'Q2' }],
    'WIKIMEL_test.json': [{ ...mention, imgPath: undefined }],
    ...changes,
  };
}

/** Writes the files (undefined: none; a string: as it is) into a folder of their own and hands it to `use`. */
async function withFolder<T>(contents: Files, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'dsmip-dataset-'));
  try {
    for (const [name, value] of Object.entries(contents)) {
      if (value === null) mkdirSync(join(folder, name));
      else if (value !== undefined) {
        writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
      }
    }
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('names, texts, images and answers follow the published layout', () =>
  withFolder(files(), async (folder) => {
    const data = await readDataset(folder);
    assert.is(data.name, 'WIKIMEL');
    assert.is(data.skippedNil, 1);
    assert.equal(
      data.splits.train.map(({ entity }) => entity),
      [0, 2],
    );
    assert.is(data.splits.dev[0]!.entity, 1);
    assert.equal(
      data.entities[0]!.images,
      ['Q1_0.jpg', 'Q1_1.jpg'].map((name) => join(folder, 'kb_image', name)),
    );
    assert.equal(data.entities[1]!.images, []);
    assert.is(entityText(data.entities[0]!), 'Café : place');
    assert.is(data.entities[1]!.name, '100% pure');
    const [first, second] = data.splits.train;
    assert.is(mentionText(first!), 'café : A %20 sentence.');
    assert.is(first!.image, join(folder, 'mention_image', 'x.jpg'));
    assert.is(second!.image, null);
    assert.is(data.splits.test[0]!.image, null);
  }));

test('RichpediaMEL, WikiDiverse and bare names are found, and mention_images/', async () => {
  const base = files();
  for (const [prefix, dev, name] of [
    ['RichpediaMEL_', 'dev', 'RichpediaMEL'],
    ['wiki_diverse_', 'valid', 'wiki_diverse'],
  ]) {
    const renamed = {
      ...files({
        'WIKIMEL_train.json': undefined,
        'WIKIMEL_dev.json': undefined,
        'WIKIMEL_test.json': undefined,
      }),
      [`${prefix}train.json`]: base['WIKIMEL_train.json'],
      [`${prefix}${dev}.json`]: base['WIKIMEL_dev.json'],
      [`${prefix}test.json`]: base['WIKIMEL_test.json'],
      mention_images: null,
    };
    await withFolder(renamed, async (folder) => {
      const data = await readDataset(folder);
      assert.is(data.name, name);
      assert.is(data.splits.train[0]!.image, join(folder, 'mention_images', 'x.jpg'));
    });
  }
});

const damages: [string, Files, RegExp][] = [
  ['a missing knowledge base', { 'kb_entity.json': undefined }, /kb_entity\.json: no such file$/],
  ['a missing qid2id', { 'qid2id.json': undefined }, /qid2id\.json: no such file$/],
  ['a missing split', { 'WIKIMEL_dev.json': undefined }, /\*_dev\.json: no such file$/],
  ['two files for a split', { 'other_dev.json': [mention] }, /expected one file of split dev$/],
  ['truncated JSON', { 'WIKIMEL_test.json': '[{"id": "1", "sent' }, /WIKIMEL_test\.json: not valid JSON/],
  [
    'an object for an array',
    { 'WIKIMEL_test.json': {} },
    /WIKIMEL_test\.json: expected an array, found an object$/,
  ],
  ['an empty split', { 'WIKIMEL_dev.json': [] }, /WIKIMEL_dev\.json: expected at least one mention/],
  [
    'a split of nil answers',
    { 'WIKIMEL_dev.json': [{ ...mention, answer: 'nil' }] },
    /expected at least one mention/,
  ],
  ['an empty knowledge base', { 'kb_entity.json': [] }, /kb_entity\.json: expected at least one entity/],
  [
    'an entry of another type',
    { 'WIKIMEL_dev.json': [7] },
    /WIKIMEL_dev\.json: entry 0: expected an object, found 7$/,
  ],
  [
    'an unknown answer',
    { 'WIKIMEL_test.json': [mention, { ...mention, answer: 'Q9' }] },
    /WIKIMEL_test\.json: entry 1: answer: expected a qid of kb_entity\.json, found Q9$/,
  ],
  [
    'a sentence of another type',
    { 'WIKIMEL_test.json': [{ ...mention, sentence: 4 }] },
    /WIKIMEL_test\.json: entry 0: sentence: expected a non-empty string, found 4$/,
  ],
  [
    'no word',
    { 'WIKIMEL_test.json': [{ ...mention, mentions: undefined }] },
    /entry 0: mentions: expected a non-empty string, found nothing$/,
  ],
  [
    'an image list of numbers',
    { 'kb_entity.json': [{ ...kb[0], image_list: [4] }] },
    /kb_entity\.json: entry 0: image_list: expected a list of file names, found an array$/,
  ],
  [
    'a duplicate id',
    { 'kb_entity.json': [kb[0], { ...kb[1], id: 0 }, kb[2]] },
    /entry 1: id: 0 occurs twice$/,
  ],
  [
    'a duplicate qid',
    { 'kb_entity.json': [kb[0], { ...kb[1], qid: 'Q1' }, kb[2]] },
    /entry 1: qid: Q1 occurs twice, first in entry 0$/,
  ],
  [
    'unsorted ids',
    { 'kb_entity.json': [kb[1], kb[0], kb[2]] },
    /entry 1: id: expected entries sorted by id, found 0 after 3$/,
  ],
  [
    'a text for an id',
    { 'kb_entity.json': [{ ...kb[0], id: '0' }] },
    /entry 0: id: expected an integer >= 0, found "0"$/,
  ],
  [
    'a qid2id that disagrees',
    { 'qid2id.json': { Q1: 0, Q2: 4, Q3: 7 } },
    /qid2id\.json: Q2: expected id 3 as in kb_entity\.json, found 4$/,
  ],
];

for (const [what, change, expected] of damages) {
  test(`${what} is one clear line`, () =>
    withFolder(files(change), async (folder) => {
      const message = await readDataset(folder).then(
        () => 'was read',
        (error) => (error as Error).message,
      );
      assert.match(message, expected);
      assert.not.match(message, /\n/);
    }));
}

test('a missing folder is one clear line', async () => {
  const message = await readDataset('/nowhere/at/all').then(
    () => 'was read',
    (error) => (error as Error).message,
  );
  assert.is(message, '/nowhere/at/all: no such folder');
});

test.run();
