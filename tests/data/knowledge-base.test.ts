// A knowledge base alone: lines of JSON, the layout of MIMIC's users without mentions, and the records that an index keeps.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Entity, entityText, readDataset } from '../../data/dataset.ts';
import {
  type EntityRecord,
  openEntityRecords,
  readEntityRecords,
  writeEntityRecords,
} from '../../data/entity-records.ts';
import { openKnowledgeBase } from '../../data/knowledge-base.ts';
import type { NameFinder } from '../../data/names/name-matches.ts';
import { bytesInMemory } from '../../files/byte-source.ts';
import { InputError } from '../../files/errors.ts';

const openconcepts = fileURLToPath(new URL('../../data/openconcepts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dsmip-kb-'));
test.after(() => rmSync(folder, { recursive: true }));

const lines = [
  { id: 'Q1', name: 'Café', aliases: ['coffee house'], description: 'a place', images: ['a.jpg', 'b/c.png'] },
  { id: 2, name: 'mouse', attributes: { kind: 'animal', diet: 'cheese' }, other: [1] },
  { id: 'Q3', name: 'mouse', description: 'a device', attributes: 'plastic', aliases: null, images: null },
  { id: 'constructor', name: '__proto__' },
];

async function read(text: string, images?: string): Promise<Entity[]> {
  const kb = join(folder, 'kb.jsonl');
  writeFileSync(kb, text);
  const entities: Entity[] = [];
  const base = await openKnowledgeBase(images === undefined ? { kb } : { kb, images });
  for await (const entity of base.entities()) entities.push(entity);
  return entities;
}

const textOf = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).join('\n');

test('lines of JSON are entities in their order', async () => {
  const entities = await read(`\ufeff${textOf(lines).replace('\n', '\r\n\n')}`, '/pictures');
  assert.equal(entities, [
    {
      id: 0,
      qid: 'Q1',
      name: 'Café',
      aliases: ['coffee house'],
      attributes: 'a place',
      images: [join('/pictures', 'a.jpg'), join('/pictures', 'b', 'c.png')],
    },
    { id: 1, qid: '2', name: 'mouse', aliases: [], attributes: 'kind: animal. diet: cheese', images: [] },
    { id: 2, qid: 'Q3', name: 'mouse', aliases: [], attributes: 'a device plastic', images: [] },
    { id: 3, qid: 'constructor', name: '__proto__', aliases: [], attributes: '', images: [] },
  ]);
  assert.equal(entities.map(entityText), [
    'Café : a place coffee house',
    'mouse : kind: animal. diet: cheese',
    'mouse : a device plastic',
    '__proto__ : ',
  ]);
});

const good = JSON.stringify(lines[0]);
const bad: [string, string, RegExp][] = [
  ['no JSON', `${good}\n\n{"id": `, /kb\.jsonl: line 3: not valid JSON/],
  ['no object', `${good}\n[]`, /kb\.jsonl: line 2: expected an object, found an array$/],
  ['no name', '{"id":"Q1"}', /line 1: name: expected a string, found nothing$/],
  ['an empty name', '{"id":"Q1","name":""}', /line 1: name: expected a non-empty string, found ""$/],
  [
    'an id of another type',
    '{"id":true,"name":"x"}',
    /line 1: id: expected a non-empty string or an integer, found true$/,
  ],
  ['an id twice', `${good}\n${good}`, /line 2: id: Q1 occurs twice$/],
  [
    'aliases of another type',
    '{"id":1,"name":"x","aliases":["a",7]}',
    /line 1: aliases\[1\]: expected a string, found 7$/,
  ],
  [
    'attributes of another type',
    '{"id":1,"name":"x","attributes":{"a":7}}',
    /line 1: attributes(\.a)?: expected a string.*, found/,
  ],
  [
    'images that lead out',
    '{"id":1,"name":"x","images":["a.jpg","../b.jpg"]}',
    /line 1: images\[1\]: expected a path under the folder of images, found "\.\.\/b\.jpg"$/,
  ],
  [
    'an absolute image',
    '{"id":1,"name":"x","images":["/etc/passwd"]}',
    /line 1: images\[0\]: expected a path/,
  ],
  ['nothing', '\n\n', /kb\.jsonl: expected at least one entity, found none$/],
  ['a line without end', `{"id":"${'x'.repeat(2 ** 24)}"}`, /line 1: expected at most 4194304 bytes$/],
];
for (const [what, text, message] of bad) {
  test(`${what} is one line with the line's number`, async () => {
    assert.match(await refusal(() => read(text)), message);
  });
}

test('bytes that are no UTF-8 are refused with their line', async () => {
  const kb = join(folder, 'latin.jsonl');
  writeFileSync(kb, Buffer.from(`{"id":2,"name":"x"}\n{"id":1,"name":"caf\xe9"}`, 'latin1'));
  const base = await openKnowledgeBase({ kb });
  const message = await refusal(async () => {
    for await (const _ of base.entities());
  });
  assert.match(message, /line 2: expected UTF-8 text$/);
});

test('missing files, folders of images beside a folder and other folders are one line', async () => {
  const open = (kb: string, images?: string) =>
    refusal(() => openKnowledgeBase(images === undefined ? { kb } : { kb, images }));
  assert.match(await open(join(folder, 'none.jsonl')), /none\.jsonl: no such file$/);
  assert.match(await open(folder), /kb_entity\.json: no such file$/);
  assert.match(await open(openconcepts, folder), /a folder of images goes with a JSON-lines file/);
});

test('a file that changes while it is read is an error', async () => {
  const kb = join(folder, 'changing.jsonl');
  writeFileSync(kb, textOf(lines));
  const base = await openKnowledgeBase({ kb });
  writeFileSync(kb, textOf(lines.slice(1)));
  const message = await refusal(async () => {
    for await (const _ of base.entities());
  });
  assert.match(message, /changed while it was being read$/);
});

test('a folder of MIMIC is a knowledge base, with splits and without', async () => {
  const { entities } = await readDataset(openconcepts);
  const base = await openKnowledgeBase({ kb: openconcepts });
  assert.is(base.count, entities.length);
  const found: Entity[] = [];
  for await (const entity of base.entities()) found.push(entity);
  assert.equal(found, entities);

  const alone = join(folder, 'alone');
  mkdirSync(alone);
  writeFileSync(join(alone, 'kb_entity.json'), readFileSync(join(openconcepts, 'kb_entity.json')));
  const data = await readDataset(alone);
  assert.is(data.name, 'alone');
  assert.equal(data.splits, { train: [], dev: [], test: [] });
  assert.is(data.entities.length, entities.length);
  const { fingerprint } = await openKnowledgeBase({ kb: alone });
  assert.is(fingerprint, base.fingerprint, 'the same file');
});

async function rowsNamed(names: NameFinder, word: string): Promise<number[]> {
  return (await names.matches(word)).map(({ row }) => row);
}

const records: EntityRecord[] = Array.from({ length: 3000 }, (_, i) => ({
  qid: `Q${i}`,
  name: `Name ${i % 1000}`,
  aliases: i % 7 === 0 ? [`alias of ${i}`, 'Éverywhere'] : [],
  attributes: 'x'.repeat(i % 50),
  images: i % 2 === 0 ? [`/images/${i}.jpg`] : [],
}));

test('records are read by row and found by name and alias', async () => {
  const path = join(folder, 'entities.bin');
  assert.is(await writeEntityRecords(path, records), records.length);
  const file = await openEntityRecords(path);
  assert.is(file.count, records.length);
  for (const row of [0, 1, 1234, 2999]) assert.equal(await file.read(row), records[row]);
  assert.equal(await rowsNamed(file, '  name_7 '), [7, 1007, 2007]);
  assert.equal(await rowsNamed(file, 'ALIAS of 14'), [14]);
  assert.equal(await rowsNamed(file, 'nobody'), []);
  const everywhere = await rowsNamed(file, 'everywhere');
  assert.equal(
    everywhere,
    Array.from({ length: 100 }, (_, i) => 7 * i),
    'the first hundred',
  );
  await file.close();

  const inMemory = await readEntityRecords(bytesInMemory('upload', new Uint8Array(readFileSync(path))));
  assert.equal(await inMemory.read(2999), records[2999]);
  assert.equal(await rowsNamed(inMemory, 'name 999'), [999, 1999, 2999]);
});

test('no entity and no name is a file too', async () => {
  const path = join(folder, 'none.bin');
  await writeEntityRecords(path, []);
  const file = await openEntityRecords(path);
  assert.is(file.count, 0);
  assert.equal(await rowsNamed(file, 'x'), []);
  await file.close();
});

test('damaged records: every bit that matters is noticed when it is read', async () => {
  const path = join(folder, 'damaged.bin');
  await writeEntityRecords(path, records.slice(0, 20));
  const whole = new Uint8Array(readFileSync(path));
  const all = async (bytes: Uint8Array<ArrayBuffer>) => {
    const file = await readEntityRecords(bytesInMemory('f', bytes));
    const found: unknown[] = [];
    for (let row = 0; row < file.count; row++) found.push(await file.read(row));
    for (const { name } of records.slice(0, 20)) {
      found.push(await file.matches(name), await file.matches(`${name}x`));
    }
    return JSON.stringify(found);
  };
  const expected = await all(whole);
  for (let i = 0; i < whole.length; i++) {
    const bytes = whole.slice();
    bytes[i]! ^= 1 << (i % 8);
    const found = await all(bytes).catch((error) => error);
    if (found instanceof Error) assert.instance(found, InputError, `byte ${i}: ${found.stack}`);
    else assert.is(found, expected, `byte ${i}`);
  }
  truncateSync(path, whole.length - 1);
  assert.match(await refusal(() => openEntityRecords(path)), /cut off/);
  writeFileSync(path, 'something else');
  assert.match(await refusal(() => openEntityRecords(path)), /not a file of entity records$/);
});

async function refusal(body: () => Promise<unknown>): Promise<string> {
  try {
    await body();
  } catch (error) {
    assert.instance(error, InputError, (error as Error).stack);
    return (error as Error).message;
  }
  return 'no error';
}

test.run();
