// Names as they are compared, and which entities a word may name, in memory and in a file of records.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openEntityRecords, writeEntityRecords } from '../../../data/entity-records.ts';
import { exactForm, nameKey, nearForms, plainName, similarity } from '../../../data/names/name-form.ts';
import { aliasTable, type NameFinder } from '../../../data/names/name-matches.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-names-'));
test.after(() => rmSync(folder, { recursive: true }));

test('the plain form of names', () => {
  for (const [name, plain] of [
    [' Café_de\u00a0 Flore', 'cafe de flore'],
    ['कि', 'कि'], // marks that are letters stay
    ['ＡＢＣ', 'abc'],
    ['İstanbul', 'istanbul'],
    ['ISPARTA', 'isparta'],
    ['Iğdır', 'igdir'],
    ['STRASSE', 'strasse'],
    ['Straße', 'strasse'],
    ['Ærø', 'aero'],
    ['Łódź', 'lodz'],
    ['ΟΔΟΣ', 'οδοσ'],
    ['οδός', 'οδοσ'],
    ['U.S.A.', 'usa'],
    ['St. Louis', 'st louis'],
    ['version 3.5', 'version 3 5'],
    ['self-propelled  vehicle', 'self propelled vehicle'],
    ["Rock 'n' Roll", 'rock n roll'],
    ['O’Brien', 'obrien'],
    ['«Mouse»', 'mouse'],
    ['C#', 'c#'],
    ['C++', 'c++'],
    ['AT&T', 'at&t'],
    ['?!', '?!'],
    ['東京', '東京'],
    ['', ''],
  ] as const) {
    assert.is(plainName(name), plain, name);
  }
});

test('an article before a name and a possessive after it do not count, and the key not the number', () => {
  for (const [name, form, key] of [
    ['The Beatles', 'beatles', 'beatle'],
    ['the', 'the', 'the'],
    ["Turkey's", 'turkey', 'turkey'],
    ['mouse’s', 'mouse', 'mouse'],
    ["dogs'", 'dogs', 'dog'],
    ['mice', 'mice', 'mouse'],
    ['police cars', 'police cars', 'police car'],
    ['wolves', 'wolves', 'wolf'],
    ['bus', 'bus', 'bus'],
    ['buses', 'buses', 'bus'],
  ] as const) {
    assert.is(exactForm(name), form, name);
    assert.is(nameKey(name), key, name);
  }
});

test('keys one edit apart share a form; how alike two are', () => {
  const share = (a: string, b: string) => nearForms(a).some((form) => nearForms(b).includes(form));
  for (const other of ['elephant', 'elephnt', 'elephaant', 'elephxnt', 'elehpant', 'lephant', 'elephan']) {
    assert.ok(share('elephant', other), other);
  }
  assert.not.ok(share('elephant', 'elegance'));
  assert.equal(nearForms('bat'), [], 'too short');
  assert.equal(nearForms('x'.repeat(33)), [], 'too long');
  assert.is(similarity('elephnat', 'elephant'), 1 - 1 / 8);
  assert.is(similarity('elphnat', 'elephant'), 0, 'two edits in a word of seven letters');
  assert.is(similarity('elephxxant', 'elephant'), 1 - 2 / 10);
  assert.is(similarity('elephxxxant', 'elephant'), 0);
});

const entities = [
  { name: 'mouse', aliases: ['computer mouse'] },
  { name: 'Mouse', aliases: [] },
  { name: 'bat', aliases: ['chiropteran'] },
  { name: 'bats', aliases: [] },
  { name: 'São Paulo', aliases: ['Sampa'] },
  { name: 'The Who', aliases: [] },
  { name: 'elephant', aliases: [] },
  { name: 'elephant seal', aliases: [] },
  { name: 'glass', aliases: ['glasses'] },
];

async function checkMatches(names: NameFinder): Promise<void> {
  const found = async (word: string) =>
    (await names.matches(word)).map(({ row, kind, similarity }) =>
      kind === 'exact' && similarity === 1 ? row : [row, Number(similarity.toFixed(3))],
    );
  assert.equal(await found('MOUSE'), [0, 1]);
  assert.equal(await found('the mouse'), [0, 1]);
  assert.equal(await found('mice'), [0, 1], 'nobody has the plural: it is as good');
  assert.equal(await found('Computer-Mouse'), [0]);
  assert.equal(await found('bat'), [2, [3, 0.9]], 'others have the word itself');
  assert.equal(await found('bats'), [[2, 0.9], 3]);
  assert.equal(await found('glasses'), [8]);
  assert.equal(await found('sao paulo'), [4]);
  assert.equal(await found('who'), [5]);
  assert.equal(await found("the elephant's"), [6]);
  assert.equal(await found('elephnat'), [[6, 0.875]]);
  assert.equal(await found('elephants seal'), [[7, 0.929]]);
  assert.equal(await found('chiroptern'), [[2, 0.909]], 'an alias, mistyped');
  assert.equal(await found('rhinoceros'), []);
  assert.equal(await found('ba'), []);
  assert.equal(await found(' '), []);
}

test('the entities that a word may name, in memory', () => checkMatches(aliasTable(entities)));

test('the same from a file of records', async () => {
  const path = join(folder, 'entities.bin');
  const rest = { attributes: '', images: [] };
  await writeEntityRecords(
    path,
    entities.map((entity, i) => ({ ...entity, ...rest, qid: `Q${i}` })),
  );
  const file = await openEntityRecords(path);
  await checkMatches(file);
  await file.close();
});

test.run();
