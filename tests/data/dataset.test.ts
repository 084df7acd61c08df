// The reader of MIMIC's layout: the published data's quirks, and one line for every kind of damage.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeName, encodeName, entityText, mentionText, readDataset } from '../../data/dataset.ts';

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

test('entities in any order are sorted by id, and that is remarked on', () =>
  withFolder(files({ 'kb_entity.json': [kb[1], kb[0], kb[2]] }), async (folder) => {
    const data = await readDataset(folder);
    assert.equal(
      data.entities.map(({ id }) => id),
      [0, 3, 7],
    );
    assert.is(data.splits.dev[0]!.entity, 1);
    const file = join(folder, 'kb_entity.json');
    assert.equal(data.remarks, [`${file}: 1 entry out of the order of the ids, sorted (entry 1)`]);
  }));

test('empty names, mentions and sentences are read and remarked on', () => {
  const empty = { ...mention, mentions: '', sentence: ' ' };
  const changes = {
    'kb_entity.json': [{ ...kb[0], entity_name: '' }, kb[1], kb[2]],
    'WIKIMEL_dev.json': [mention, empty, { ...empty, answer: 'nil' }, empty],
  };
  return withFolder(files(changes), async (folder) => {
    const { splits, remarks, skippedNil } = await readDataset(folder);
    assert.is(splits.dev.length, 3);
    assert.is(skippedNil, 2);
    assert.equal(
      remarks.map((line) => line.slice(folder.length + 1)),
      [
        'kb_entity.json: 1 entry with an empty entity_name (entry 0)',
        'WIKIMEL_dev.json: 2 entries with an empty mention (first entry 1)',
        'WIKIMEL_dev.json: 2 entries with an empty sentence (first entry 1)',
      ],
    );
  });
});

test('a clean data set has no remarks', () =>
  withFolder(files(), async (folder) => assert.equal((await readDataset(folder)).remarks, [])));

test('answers are looked up in qid2id.json, as MIMIC does', () => {
  const changes = {
    'qid2id.json': { Q1: 0, Q2: 3, Q3: 7, Q30: 7, nil: -1, Q0: '7' },
    'WIKIMEL_dev.json': [
      { ...mention, answer: 'Q30' },
      { ...mention, answer: 'NIL' },
    ],
  };
  return withFolder(files(changes), async (folder) => {
    const { splits, skippedNil } = await readDataset(folder);
    assert.equal(
      splits.dev.map(({ entity }) => entity),
      [2],
    );
    assert.is(skippedNil, 2);
  });
});

test('images of mentions: the basename up to its first dot; of entities: the basename', () => {
  const paths = [
    'KVQAimgs/123.png',
    'a-b_c (1).tar.jpeg',
    'https://x.org/y/St._Paul%27s.JPG',
    'noending',
    '.jpg',
  ];
  const changes = {
    'kb_entity.json': [{ ...kb[0], image_list: ['kb/Q1_0.png', '', '../Q1.x.jpg'] }, kb[1], kb[2]],
    'WIKIMEL_dev.json': paths.map((imgPath) => ({ ...mention, imgPath })),
  };
  return withFolder(files(changes), async (folder) => {
    const { splits, entities } = await readDataset(folder);
    assert.equal(
      splits.dev.map(({ image }) => image?.slice(join(folder, 'mention_image').length + 1) ?? null),
      ['123.jpg', 'a-b_c (1).jpg', 'St.jpg', 'noending.jpg', null],
    );
    assert.equal(
      entities[0]!.images,
      ['Q1_0.png', 'Q1.x.jpg'].map((name) => join(folder, 'kb_image', name)),
    );
  });
});

test('a byte order mark and null fields are no damage', () => {
  const changes = {
    'kb_entity.json': `\ufeff${JSON.stringify([{ ...kb[0], attr: null, image_list: null, type: null }, kb[1], kb[2]])}`,
    'WIKIMEL_dev.json': [{ ...mention, imgPath: null, id: null }],
  };
  return withFolder(files(changes), async (folder) => {
    const { entities, splits } = await readDataset(folder);
    assert.is(entityText(entities[0]!), 'Café : ');
    assert.equal([splits.dev[0]!.image, splits.dev[0]!.id], [null, '0']);
  });
});

test('aliases are kept for finding entities by name, and are no part of the text, which has them already', () => {
  const changes = {
    'kb_entity.json': [
      { ...kb[0], attr: 'place coffee house', aliases: ['coffee house', 'bar'] },
      kb[1],
      kb[2],
    ],
  };
  return withFolder(files(changes), async (folder) => {
    const { entities } = await readDataset(folder);
    assert.equal(entities[0]!.aliases, ['coffee house', 'bar']);
    assert.is(entityText(entities[0]!), 'Café : place coffee house');
    assert.equal(entities[1]!.aliases, []);
  });
});

test('kinds of mentions, and mentions whose entity counts as taken away', () => {
  const sentence = { ...mention, kind: 'sentence' };
  const changes = {
    'WIKIMEL_dev.json': [mention, sentence, { ...mention, kind: 'gloss' }],
    'WIKIMEL_dev_unlinkable.json': [{ ...sentence, id: 'u1', answer: 'Q3' }],
  };
  return withFolder(files(changes), async (folder) => {
    const { splits, unlinkable } = await readDataset(folder);
    assert.equal(
      splits.dev.map(({ kind }) => kind),
      [undefined, 'sentence', 'gloss'],
    );
    assert.equal(
      unlinkable.dev.map(({ id, entity, kind }) => [id, entity, kind]),
      [['u1', 2, 'sentence']],
    );
    assert.equal(unlinkable.test, []);
  });
});

test("names are decoded as Python's unquote does", () => {
  // Left: names; right: what urllib.parse.unquote makes of them.
  const cases: [string, string][] = [
    ['Caf%C3%A9 100%', 'Café 100%'],
    ['100% pure', '100% pure'],
    ['a%2Fb%zz', 'a/b%zz'],
    ['%E9t%c3%a9', '\ufffdté'],
    ['%F0%9F%98%80%EF%BB%BFx', '😀\ufeffx'],
    ['%25C3%25A9', '%C3%A9'],
    ['50%25', '50%'],
    ['%E2%82x', '\ufffdx'],
  ];
  for (const [name, expected] of cases) assert.is(decodeName(name), expected, name);
  for (const name of ['100%25', 'Café', '%', 'a%C3%A9b']) assert.is(decodeName(encodeName(name)), name);
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
    /WIKIMEL_test\.json: entry 0: sentence: expected a string, found 4$/,
  ],
  [
    'an unknown kind',
    { 'WIKIMEL_test.json': [{ ...mention, kind: 'poem' }] },
    /WIKIMEL_test\.json: entry 0: kind: expected gloss or sentence, found poem$/,
  ],
  [
    'aliases of another type',
    { 'kb_entity.json': [{ ...kb[0], aliases: [4] }] },
    /kb_entity\.json: entry 0: aliases: expected a list of strings, found an array$/,
  ],
  [
    'an unlinkable mention without an entity',
    { 'WIKIMEL_test_unlinkable.json': [{ ...mention, answer: 'Q9' }] },
    /WIKIMEL_test_unlinkable\.json: entry 0: answer: expected a qid of kb_entity\.json, found Q9$/,
  ],
  [
    'no word',
    { 'WIKIMEL_test.json': [{ ...mention, mentions: undefined }] },
    /entry 0: mentions: expected a string, found nothing$/,
  ],
  [
    'an image list of numbers',
    { 'kb_entity.json': [{ ...kb[0], image_list: [4] }] },
    /kb_entity\.json: entry 0: image_list: expected a list of strings, found an array$/,
  ],
  [
    'a duplicate id',
    { 'kb_entity.json': [kb[0], { ...kb[1], id: 0 }, kb[2]] },
    /entry 1: id: 0 occurs twice, first in entry 0$/,
  ],
  [
    'a duplicate qid',
    { 'kb_entity.json': [kb[0], { ...kb[1], qid: 'Q1' }, kb[2]] },
    /entry 1: qid: Q1 occurs twice, first in entry 0$/,
  ],
  [
    'a text for an id',
    { 'kb_entity.json': [{ ...kb[0], id: '0' }] },
    /entry 0: id: expected an integer >= 0, found "0"$/,
  ],
  [
    'an empty qid',
    { 'kb_entity.json': [{ ...kb[0], qid: '' }] },
    /entry 0: qid: expected a non-empty string, found ""$/,
  ],
  [
    'an answer that qid2id.json places outside the knowledge base',
    { 'qid2id.json': { Q1: 0, Q2: 3, Q3: 7, Q8: 4 }, 'WIKIMEL_dev.json': [{ ...mention, answer: 'Q8' }] },
    /WIKIMEL_dev\.json: entry 0: answer: expected a qid of kb_entity\.json, found Q8$/,
  ],
  [
    'an array for qid2id',
    { 'qid2id.json': [] },
    /qid2id\.json: expected an object of ids by qid, found an array$/,
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
