// The inspection of data sets: every count against a hand-made one, the command's text and JSON.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readDataset } from '../../data/dataset.ts';
import {
  type Inspection,
  inspect,
  type KnowledgeBaseInspection,
} from '../../data/inspect/inspect-dataset.ts';
import { paperSizes } from '../../data/inspect/inspect-paper.ts';
import { report } from '../../data/inspect/inspect-report.ts';
import { shortcutOf } from '../../data/inspect/picture-shortcut.ts';
import { lengthsOf, summary } from '../../data/text/text-lengths.ts';
import { loadTokenizer } from '../../data/text/tokenizer-files.ts';

const command = fileURLToPath(new URL('../../cli/dsmip.ts', import.meta.url));
const tinyFolder = fileURLToPath(new URL('./text/tiny-vocabulary/', import.meta.url));
const runtimeFlags = 'Deno' in globalThis ? ['run', '-A'] : [];
const folder = mkdtempSync(join(tmpdir(), 'dsmip-inspect-'));
test.after(() => rmSync(folder, { recursive: true }));

const entity = (id: number, entity_name: string, attr: string, image_list: string[]) => ({
  id,
  qid: `Q${id}`,
  entity_name,
  attr,
  type: 'entity',
  image_list,
});
const mention = (mentions: string, sentence: string, answer: string, imgPath: string) => ({
  id: 0,
  sentence,
  mentions,
  entities: '',
  answer,
  imgPath,
});
const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));

mkdirSync(join(folder, 'kb_image'));
mkdirSync(join(folder, 'mention_image'));
for (const name of ['kb_image/0b.jpg', 'kb_image/1.jpg', 'mention_image/a.jpg', 'mention_image/c.jpg']) {
  writeFileSync(join(folder, name), '');
}
write('kb_entity.json', [
  { ...entity(0, 'mouse', 'animal', ['0a.jpg', '0b.jpg']), aliases: ['A_Mouse', 'rodent'] },
  entity(1, 'mouse', 'device', ['1.jpg']),
  entity(2, 'bat', '', []),
  entity(3, 'bat', '', ['1.jpg']),
]);
write('qid2id.json', { Q0: 0, Q1: 1, Q2: 2, Q3: 3 });
write('WIKIMEL_train.json', [
  mention('mouse', 'A mouse eats.', 'Q0', 'a.png'),
  mention('mouse', 'A mouse eats.', 'Q0', 'a.png'),
  mention('mouse', 'A mouse eats.', 'Q0', 'b.png'),
  mention('bat', 'A bat flies.', 'Q2', ''),
  mention('bat', 'Nobody knows.', 'nil', ''),
]);
write('WIKIMEL_dev.json', [
  { ...mention('it', 'New.', 'Q1', 'c.jpg'), kind: 'gloss' },
  { ...mention('bat', 'New too.', 'Q2', ''), kind: 'sentence' },
]);
write('WIKIMEL_dev_unlinkable.json', [
  { ...mention('it', 'New.', 'Q1', 'c.jpg'), kind: 'gloss' },
  { ...mention('it', 'Newer.', 'Q1', ''), kind: 'gloss' },
]);
write('WIKIMEL_test.json', [
  mention('it', 'A mouse eats.', 'Q1', 'd.jpg'),
  mention('a mouse', 'Another image.', 'Q0', 'a.jpg'),
  mention('bat', 'A bat flies.', 'Q2', ''),
  mention('bat', 'Fresh.', 'Q3', 'c.jpg'),
]);

const data = await readDataset(folder);
const found = await inspect(data, null);

test('entities, their images and texts', () => {
  assert.equal(found.entities, {
    entities: 4,
    withImage: 3,
    firstImageFound: 2,
    images: 3,
    missingImages: 1,
    firstMissingImage: join(folder, 'kb_image', '0a.jpg'),
    withoutAttributes: 2,
    names: 2,
    homonyms: 2,
    sharedName: 4,
    sharedText: 2,
    aliases: 2,
  });
});

test('mentions, their images and duplicates, by split', () => {
  assert.equal(found.splits.train, {
    mentions: 4,
    samples: 2,
    kinds: {},
    answers: 2,
    wordIsName: 4,
    wordIsAlias: 0,
    withoutImage: 1,
    images: 2,
    missingImages: 1,
    withMissingImage: 1,
    duplicates: 1,
    duplicatesButImage: 2,
  });
  const { mentions, samples, images, missingImages, duplicates, duplicatesButImage } = found.splits.all;
  assert.equal([mentions, samples, images, missingImages], [10, 6, 4, 2]);
  // The bat's row is in training and test.
  assert.equal([duplicates, duplicatesButImage], [2, 3]);
  assert.is(found.nilAnswers, 1);
  assert.equal(found.splits.all.kinds, { gloss: 1, sentence: 1 });
  // 'a mouse' is the alias 'A_Mouse'; 'it' is no name.
  assert.equal([found.splits.test.wordIsName, found.splits.test.wordIsAlias], [2, 1]);
});

test('pictures of mentions and of their entities, by split and kind', () => {
  assert.equal(
    found.pictures.map(({ split, kind }) => `${split} ${kind}`),
    ['train all', 'dev all', 'dev gloss', 'dev sentence', 'test all'],
  );
  // A picture in train is one of an entity with a picture, and none is one of an entity without: 0.811 bits, all there is.
  const [train] = found.pictures;
  const { bits, ...counts } = train!.shortcut;
  assert.equal(counts, { mentions: 4, pictured: 75, imagedOfPictured: 100, imagedOfOthers: 0 });
  assert.ok(Math.abs(bits - (0.75 * Math.log2(4 / 3) + 0.25 * 2)) < 1e-12, `${bits}`);
  const sentence = found.pictures[3]!.shortcut;
  assert.equal(sentence, { mentions: 1, pictured: 0, imagedOfPictured: null, imagedOfOthers: 0, bits: 0 });
  const half = (image: string | null, row: number) => ({
    id: '',
    word: '',
    sentence: '',
    entity: row,
    image,
  });
  const even = [half('a', 0), half('a', 2), half(null, 0), half(null, 2)];
  assert.is(shortcutOf(even, data.entities).bits, 0);
  assert.is(shortcutOf([], data.entities).pictured, null);
});

test('unlinkable mentions', () => {
  const none = { mentions: 0, kinds: {}, answers: 0, answersWithHomonym: 0 };
  const dev = { mentions: 2, kinds: { gloss: 2 }, answers: 1, answersWithHomonym: 1 };
  assert.equal(found.unlinkable, { dev, test: none });
});

test('leakage counts the mentions of the later split; no image is no shared image', () => {
  assert.equal(found.leakage['train-test'], {
    mentions: 4,
    image: 1,
    sentence: 2,
    imageOrSentence: 3,
    wordAndAnswer: 1,
    answer: 2,
  });
  assert.equal(found.leakage['train-dev'], {
    mentions: 2,
    image: 0,
    sentence: 0,
    imageOrSentence: 0,
    wordAndAnswer: 1,
    answer: 1,
  });
  assert.is(found.leakage['dev-test'].image, 1);
});

test('a data set without image folders has all its images missing', async () => {
  rmSync(join(folder, 'kb_image'), { recursive: true });
  try {
    const { entities, splits } = await inspect(data, null);
    assert.equal([entities.missingImages, entities.firstImageFound, splits.all.missingImages], [3, 0, 2]);
  } finally {
    mkdirSync(join(folder, 'kb_image'));
    for (const name of ['0b.jpg', '1.jpg']) writeFileSync(join(folder, 'kb_image', name), '');
  }
});

test('summaries', () => {
  const hundred = Float64Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(summary(hundred), { mean: 50.5, median: 50.5, p95: 95, max: 100 });
  assert.equal(summary(Float64Array.of(7)), { mean: 7, median: 7, p95: 7, max: 7 });
  assert.equal(summary(Float64Array.of(3, 1, 2)), { mean: 2, median: 2, p95: 3, max: 3 });
  assert.equal(summary(new Float64Array(0)), { mean: 0, median: 0, p95: 0, max: 0 });
});

test('lengths in characters, words and tokens, and what 40 and 77 tokens cut', async () => {
  const tokenizer = await loadTokenizer(tinyFolder);
  const texts = ['😀 é', '', '1 '.repeat(38), '1 '.repeat(39), '1 '.repeat(75), '1 '.repeat(76)];
  const { characters, words, tokens } = lengthsOf(texts, tokenizer);
  assert.is(characters.max, 152);
  assert.is(lengthsOf(texts.slice(0, 1), null).characters.max, 3);
  assert.is(words.max, 76);
  assert.is(tokens!.max, 78);
  assert.equal(tokens!.over, { 40: 3, 77: 1 });
  assert.is(lengthsOf(texts, null).tokens, null);
  tokenizer.free();
});

test("the paper's figures are found by any spelling, and stand beside ours", () => {
  assert.is(paperSizes('WIKIMEL')!.mentions, 25846);
  assert.is(paperSizes('wiki_diverse')!.entities, 132460);
  assert.is(paperSizes('RichpediaMEL')!.train, 12463);
  assert.is(paperSizes('OpenConceptsMEL'), null);
  const text = report(found);
  assert.match(text, /^ {2}mentions +10 +25,846 +-25,836$/m);
  assert.match(text, /^ {2}mentions, test +4 +2,078 +-2,074$/m);
  assert.match(text, /^ {2}nil answers, skipped +1$/m);
  assert.match(text, /^ {2}an image or a sentence +0 \(0\.0 %\) +3 \(75\.0 %\) +1 \(25\.0 %\)$/m);
  assert.match(text, /^ {2}of kind sentence +0 +1 +0 +1$/m);
  assert.match(text, /^ {2}train +4 +75\.0 % +100\.0 % +0\.0 % +0\.811$/m);
  assert.match(text, /^ {2}dev, sentence +1 +0\.0 % +- +0\.0 % +0\.000$/m);
  assert.match(text, /^ {2}of these with a homonym that stays +1 +0$/m);
  assert.not.match(
    report({ ...found, unlinkable: { dev: { ...found.unlinkable.test }, test: found.unlinkable.test } }),
    /Unlinkable/,
  );
  assert.not.match(report({ ...found, name: 'mine' }), /paper/);
  assert.match(report({ ...found, remarks: ['a remark'] }), /Read all the same:\n {2}a remark$/);
});

test('the command prints the report, or the inspection as JSON', () => {
  const run = (...flags: string[]) =>
    spawnSync(process.execPath, [...runtimeFlags, command, 'inspect', ...flags], { encoding: 'utf8' });
  const text = run(folder);
  assert.is(text.status, 0, text.stderr);
  assert.is(text.stdout, `${report(found)}\n`);
  const json = JSON.parse(run('--clip', tinyFolder, '--json', folder).stdout) as Inspection;
  assert.ok(json.lengths['entity text'].tokens!.mean > 2);
  assert.equal(json.leakage, found.leakage);
  for (const [flags, message] of [
    [['/nowhere/at/all'], /^\/nowhere\/at\/all: no such folder$/],
    [['--json'], /PATH is missing/],
    [[folder, '--images', folder], /--images goes with a file of JSON lines/],
    [[folder, '--clip', folder], /vocab\.json: no such file$/],
    [[folder, 'twice'], /too many arguments/],
  ] as const) {
    const { status, stderr } = run(...flags);
    assert.is(status, 1);
    assert.match(stderr.trim(), message);
    assert.not.match(stderr.trim(), /\n/);
  }
});

test('a knowledge base of JSON lines: its entities, and no tables of mentions', () => {
  const kb = join(folder, 'my kb.jsonl');
  const lines = [
    { id: 'E0', name: 'seal', description: 'an animal', images: ['kb_image/1.jpg', 'kb_image/none.jpg'] },
    { id: 'E1', name: 'seal', description: 'of wax', aliases: ['signet'] },
    { id: 'E2', name: 'crane', images: ['kb_image/1.jpg'] },
  ];
  writeFileSync(kb, lines.map((line) => JSON.stringify(line)).join('\n'));
  const run = (...flags: string[]) =>
    spawnSync(process.execPath, [...runtimeFlags, command, 'inspect', kb, ...flags], { encoding: 'utf8' });
  const { entities, lengths, ...rest } = JSON.parse(run('--json').stdout) as KnowledgeBaseInspection;
  assert.equal(rest, { name: 'my kb', remarks: [] });
  assert.equal(entities, {
    entities: 3,
    withImage: 2,
    firstImageFound: 2,
    images: 2,
    missingImages: 1,
    firstMissingImage: join(folder, 'kb_image', 'none.jpg'),
    withoutAttributes: 1,
    aliases: 1,
    names: 2,
    homonyms: 1,
    sharedName: 2,
    sharedText: 0,
  });
  assert.is(lengths['entity text'].texts, 3);
  const text = run('--images', join(folder, 'elsewhere')).stdout;
  assert.match(text, /^my kb\n\nEntities +3\n/);
  assert.match(text, /^ {2}names of several entities +1$/m);
  assert.match(text, /^ {2}images missing +2\n {2}the first that is missing: .*elsewhere.*1\.jpg$/m);
  assert.not.match(text, /Mentions/);
  writeFileSync(kb, '{"id":"E0","name":""}\n');
  const wrong = run();
  assert.is(wrong.status, 1);
  assert.match(wrong.stderr, /my kb\.jsonl: line 1: name: expected a non-empty string, found ""\n$/);
});

test.run();
