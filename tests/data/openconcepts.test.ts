// What the embedded data set promises: sizes, no leak between splits, nothing that tells an imaged entity from another, licences,
// and that the builder makes it again.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Entity, Mention, Split } from '../../data/dataset.ts';
import { entityText, readDataset } from '../../data/dataset.ts';
import { decodeImage } from '../../data/images/image.ts';
import { shortcutOf } from '../../data/inspect/picture-shortcut.ts';
import { renderJpeg } from '../../data/openconcepts-builder/icons.ts';
import { openconceptsFiles } from '../../data/openconcepts-builder/openconcepts.ts';

const folder = fileURLToPath(new URL('../../data/openconcepts', import.meta.url));
const data = await readDataset(folder);
const splits = Object.entries(data.splits) as [Split, Mention[]][];
const mentions = splits.flatMap(([, own]) => own);
const imaged = data.entities.filter(({ images }) => images.length > 0);
const COUNTS = {
  entities: 2569,
  imaged: 838,
  'train gloss': 2699,
  'train sentence': 6168,
  'dev gloss': 399,
  'dev sentence': 507,
  'test gloss': 768,
  'test sentence': 988,
  'dev unlinkable': 455,
  'test unlinkable': 877,
};
const imageless = data.entities.filter(({ images }) => images.length === 0);

test('counts', () => {
  assert.is(data.name, 'OpenConceptsMEL');
  assert.is(data.skippedNil, 0);
  assert.equal(
    {
      entities: data.entities.length,
      imaged: imaged.length,
      ...Object.fromEntries(
        splits.flatMap(([split]) =>
          (['gloss', 'sentence'] as const).map((kind) => [`${split} ${kind}`, ofKind(split, kind).length]),
        ),
      ),
      'dev unlinkable': data.unlinkable.dev.length,
      'test unlinkable': data.unlinkable.test.length,
    },
    COUNTS,
  );
});

test('entities are sorted, with qids of WordNet 3.1', () => {
  data.entities.forEach((entity, row) => {
    assert.is(entity.id, row);
    assert.match(entity.qid, /^wn31-\d{8}-n$/);
  });
});

test('every mention has an id of its own and a kind', () => {
  const ids = [...mentions, ...data.unlinkable.dev, ...data.unlinkable.test].map(({ id }) => id);
  assert.is(new Set(ids).size, ids.length);
  assert.ok(mentions.every(({ kind }) => kind !== undefined));
});

test('no entity is in two splits', () => {
  for (const [a, b] of pairs(splits.map(([, own]) => new Set(own.map(({ entity }) => entity))))) {
    assert.equal(
      [...a].filter((entity) => b.has(entity)),
      [],
    );
  }
});

test('no sentence and no picture is in two splits', () => {
  for (const key of ['sentence', 'image'] as const) {
    const seen = splits.map(([, own]) => new Set(own.flatMap((mention) => mention[key] ?? [])));
    for (const [a, b] of pairs(seen))
      assert.equal(
        [...a].filter((value) => b.has(value)),
        [],
      );
  }
});

test('every word of a mention is a name of its answer', () => {
  const plain = (text: string) => text.toLowerCase().replaceAll('.', '');
  for (const { word, entity } of mentions) {
    const { name, aliases } = data.entities[entity]!;
    assert.ok(
      [name, ...aliases].some((each) => plain(each) === plain(word)),
      `${word}: ${name}, ${aliases}`,
    );
  }
});

test('a word of an ordinary sentence stands in it', () => {
  for (const { word, sentence, kind } of mentions) {
    if (kind === 'sentence') assert.ok(sentence.includes(word), `${word}: ${sentence}`);
  }
});

test('the texts of entities are those of the first edition: aliases are not said twice', () => {
  const texts = data.entities.map(entityText).join('\n');
  assert.is(sha256(texts), 'f39df665972ffedc15886e5a81aeaa06bac4698a3524c5549fba512d7a2b6d23');
  assert.ok(data.entities.some(({ aliases, attributes }) => aliases.some((a) => !attributes.includes(a))));
});

test('countries have the names that people use', () => {
  for (const [name, alias] of [
    ['Turkey', 'Türkiye'],
    ['Myanmar', 'Burma'],
    ['Czech Republic', 'Czechia'],
  ]) {
    const entity = data.entities.find((other) => other.name === name && other.aliases.includes(alias!));
    assert.ok(entity, `${name} with alias ${alias}`);
  }
});

test('words are ambiguous: half the mentions share theirs as a name of several entities', () => {
  const named = new Map<string, number>();
  for (const { name } of data.entities)
    named.set(name.toLowerCase(), (named.get(name.toLowerCase()) ?? 0) + 1);
  const shared = mentions.filter(({ word }) => (named.get(word.toLowerCase()) ?? 0) > 1).length;
  assert.ok(shared > 0.45 * mentions.length, `${shared} of ${mentions.length}`);
});

test('pictures are missing on both sides, with every mix of the two', () => {
  const mix = new Map<string, number>();
  for (const { image, entity } of mentions) {
    const key = `${image !== null} ${data.entities[entity]!.images.length > 0}`;
    mix.set(key, (mix.get(key) ?? 0) + 1);
  }
  assert.is(mix.size, 4);
  for (const [key, count] of mix) assert.ok(count > 0.02 * mentions.length, `${key}: ${count}`);
});

test('pictures do not tell which entities have one, but in glosses of dev and test', () => {
  for (const [split] of splits) {
    for (const kind of ['gloss', 'sentence'] as const) {
      const { bits } = shortcutOf(ofKind(split, kind), data.entities);
      if (kind === 'sentence' || split === 'train') assert.ok(bits < 0.001, `${split} ${kind}: ${bits}`);
      else assert.ok(bits > 0.2, `${split} ${kind}: ${bits}, as in the first edition`);
    }
  }
  assert.ok(shortcutOf(data.splits.train, data.entities).bits < 0.02);
});

test('half of the entities of dev and test count as taken away in copies of their mentions', () => {
  const named = countsOf(data.entities.map(({ name }) => name.toLowerCase()));
  for (const split of ['dev', 'test'] as const) {
    const linkable = new Map(data.splits[split].map((mention) => [`u${mention.id}`, mention]));
    for (const { id, ...copy } of data.unlinkable[split]) {
      assert.equal({ ...copy, id: id.slice(1) }, linkable.get(id));
    }
    for (const isShared of [true, false]) {
      const answers = (list: Mention[]) =>
        [...new Set(list.map(({ entity }) => data.entities[entity]!))].filter(
          ({ name }) => named.get(name.toLowerCase())! > 1 === isShared,
        ).length;
      const part = answers(data.unlinkable[split]) / answers(data.splits[split]);
      assert.ok(Math.abs(part - 0.5) < 0.01, `${split}: ${part}`);
    }
  }
});

test('the builder makes all of it again, and the first edition', async () => {
  const { texts, drawings } = await openconceptsFiles(2);
  for (const [name, text] of texts) assert.ok(readFileSync(join(folder, name), 'utf8') === text, name);
  for (const [name, svg] of [...drawings].filter((_, i) => i % 200 === 0)) {
    assert.equal(readFileSync(join(folder, name)), Buffer.from(await renderJpeg(svg)), name);
  }
  const first = await openconceptsFiles(1);
  assert.is(
    sha256([...first.texts].flat().join('\n')),
    'd522053d2da297331faf5a31762ed13fbd9cac157a2c5c5944f21712448429ce',
  );
  assert.is(first.drawings.size, 3529);
});

test('no style of the text separates imaged from imageless entities', () => {
  // Balanced accuracy of the best threshold on each property; 0.5 is chance. With keywords on imaged entities only
  // and homonyms listed last, the number of words gave 0.71 and the row 0.95.
  for (const [name, measure] of Object.entries(STYLES)) {
    const found = bestBalancedAccuracy(imaged.map(measure), imageless.map(measure));
    assert.ok(found < 0.65, `${name}: ${found.toFixed(3)}`);
  }
});

test('every picture is listed, 96 x 96, and decodes', async () => {
  const listed = new Set([
    ...imaged.flatMap(({ images }) => images),
    ...mentions.flatMap(({ image }) => image ?? []),
  ]);
  const there = ['kb_image', 'mention_image'].flatMap((name) =>
    readdirSync(join(folder, name)).map((f) => join(folder, name, f)),
  );
  assert.equal([...listed].sort(), there.sort());
  for (const file of there) {
    const { width, height } = await decodeImage(readFileSync(file));
    assert.equal([width, height], [96, 96], file);
  }
});

test('pictures are at most 8 MB', () => {
  const files = ['kb_image', 'mention_image'].flatMap((name) =>
    readdirSync(join(folder, name)).map((f) => join(folder, name, f)),
  );
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  assert.ok(bytes <= 8e6, `${bytes} bytes`);
});

test('every licence that the credits name is there', () => {
  const credits = readFileSync(join(folder, 'LICENSES/CREDITS.md'), 'utf8');
  const named = [...credits.matchAll(/\]\(([^)]+\.txt)\)/g)].map((match) => match[1]!);
  assert.is(new Set(named).size, 9);
  for (const file of named) assert.ok(existsSync(join(folder, 'LICENSES', file)), file);
  const texts = ['Apache-2.0.txt', 'CC-BY-4.0.txt', 'WordNet-3.1.txt', 'flag.txt'];
  const marks = [
    'TERMS AND CONDITIONS',
    'Attribution 4.0 International',
    'Princeton',
    'WITHOUT WARRANTY OF ANY KIND',
  ];
  texts.forEach((file, i) => {
    assert.ok(readFileSync(join(folder, 'LICENSES', file), 'utf8').includes(marks[i]!), file);
  });
});

/** Properties of an entity's text that say nothing of what it is about. */
const STYLES: Record<string, (entity: Entity) => number> = {
  'words of attributes': ({ attributes }) => attributes.split(' ').length,
  'characters of attributes': ({ attributes }) => attributes.length,
  'words of name': ({ name }) => name.split(' ').length,
  'capitals in name': ({ name }) => name.replace(/[^A-Z]/g, '').length,
  'capitals in attributes': ({ attributes }) => attributes.replace(/[^A-Z]/g, '').length,
  'beyond ASCII': ({ attributes }) => attributes.replace(/[ -~]/g, '').length,
  punctuation: ({ attributes }) => attributes.replace(/[\p{L}\p{N}\p{M} ]/gu, '').length,
  'repeated words': ({ attributes }) => attributes.split(' ').length - new Set(attributes.split(' ')).size,
  row: ({ id }) => id,
};

function bestBalancedAccuracy(a: number[], b: number[]): number {
  const thresholds = [...new Set([...a, ...b])];
  const above = (values: number[], t: number) => values.filter((value) => value > t).length / values.length;
  return Math.max(...thresholds.map((t) => 0.5 + Math.abs(above(a, t) - above(b, t)) / 2));
}

function ofKind(split: Split, kind: 'gloss' | 'sentence'): Mention[] {
  return data.splits[split].filter((mention) => mention.kind === kind);
}

function countsOf(texts: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function pairs<T>(items: T[]): [T, T][] {
  return items.flatMap((a, i) => items.slice(i + 1).map((b): [T, T] => [a, b]));
}

test.run();
