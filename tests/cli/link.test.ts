// Linking from the command line: one mention, a file of them, standard input, images that cannot be read, wrong input.

import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../engine/device.ts';
import { textTable } from '../../eval/text-table.ts';
import {
  commandOf,
  complaint,
  dsmip,
  makeToy,
  openToy,
  removeToy,
  runFolder,
  trainToy,
} from '../support/toy-run.ts';

// A device of its own that is gone before the command opens one.
const device = await openDevice();
const toy = await makeToy(device);
const run = runFolder(toy, 'run');
const common = [...toy.flags, '--run', run];
const session = await openToy(toy, device);
await trainToy(toy, session, 'run');
session.close();
device.destroy();

const link = (...flags: string[]) => dsmip('link', ...common, ...flags);
const image = join(toy.data, 'mention_image', 'train1.jpg');
const notImage = join(toy.data, 'kb_entity.json');
const mentions = [
  { word: 'mouse', sentence: 'the animal with fur ran away', image },
  { word: 'bat', sentence: 'a machine made of steel' },
  { word: 'seal', sentence: 'the animal swam', image: notImage },
];
interface Line {
  word: string;
  image: string | null;
  entities: { qid: string; score: number; expert: string }[];
}
const parsed = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

test('one mention gives its best entities in columns, by falling score', () => {
  const { status, stdout, stderr } = link('--word', 'mouse', '--sentence', 'a small animal', '--top', '3');
  assert.is(status, 0, stderr);
  const [head, ...rows] = stdout.trim().split('\n');
  assert.is(head, 'mouse: a small animal');
  const fields = rows.map(
    (row) => /^ +(\d) {2}(.+?) +(Q\d+) +(-?\d+\.\d{3}) {2}(text|multimodal) +(animal|machine) .+$/.exec(row)!,
  );
  assert.equal(
    fields.map((field) => field[1]),
    ['1', '2', '3'],
  );
  const scores = fields.map((field) => Number(field[4]));
  assert.equal(
    scores,
    scores.toSorted((a, b) => b - a),
  );
});

test('a file and standard input give the same, one JSON object a mention; an unreadable image is a warning', () => {
  const file = join(toy.folder, 'mentions.jsonl');
  const text = mentions.map((mention) => `${JSON.stringify(mention)}\n`).join('\n');
  // A file's paths begin in its folder.
  writeFileSync(file, text.replaceAll(JSON.stringify(toy.folder).slice(1, -1), '.'));
  const { status, stdout, stderr } = link('--input', file, '--json', '--top', '4');
  assert.is(status, 0, stderr);
  const lines = parsed(stdout);
  assert.equal(
    lines.map(({ word, entities }) => [word, entities.length]),
    [
      ['mouse', 4],
      ['bat', 4],
      ['seal', 4],
    ],
  );
  for (const { entities } of lines) {
    const fields = ['qid', 'name', 'attributes', 'score', 'expert', 'probability', 'inKnowledgeBase'];
    assert.equal(Object.keys(entities[0]!), fields);
    assert.ok(entities.every(({ score }, i) => i === 0 || score <= entities[i - 1]!.score));
  }
  const warnings = complaint(stderr).split('\n');
  assert.is(warnings.length, 2, stderr);
  assert.match(warnings[0]!, /^warning: .*kb_entity\.json: neither JPEG nor PNG nor WebP/);
  assert.is(warnings[1], '1 of 3 mentions have an unreadable image');

  const command = commandOf(['link', ...common, '--input', '-', '--json', '--top', '4']);
  const piped = spawnSync(process.execPath, command, { encoding: 'utf8', input: text });
  assert.is(piped.status, 0, piped.stderr);
  const entitiesOf = (each: Line[]) => each.map(({ entities }) => entities);
  assert.equal(entitiesOf(parsed(piped.stdout)), entitiesOf(lines));
});

test('wrong input is one line and links nothing', () => {
  const file = join(toy.folder, 'bad.jsonl');
  writeFileSync(file, `${JSON.stringify(mentions[1])}\n{"word": "bat"}\n`);
  for (const [flags, message] of [
    [[], /expected --word and --sentence, or --input/],
    [['--word', 'bat'], /expected --word and --sentence/],
    [['--input', file, '--word', 'bat'], /--input: /],
    [['--input', file], /bad\.jsonl: line 2: sentence: expected a string, found nothing/],
    [['--input', join(toy.folder, 'nothing.jsonl')], /nothing\.jsonl: no such file/],
    [['--word', 'bat', '--sentence', 'x', '--top', '0'], /--top: expected an integer of at least 1, found 0/],
    [['--word', 'bat', '--sentence', 'x', '--run', toy.folder], /train an expert/],
    [
      ['--word', 'bat', '--sentence', 'x', '--kb', file],
      /--kb .*bad\.jsonl: expected the folder of an index; dsmip/,
    ],
    [['--word', 'bat', '--sentence', 'x', '--kb', toy.folder], /expected the folder of an index/],
  ] as const) {
    const { status, stdout, stderr } = link(...flags);
    assert.is(status, 1, `${flags}`);
    assert.is(stdout, '');
    assert.match(complaint(stderr), message);
    assert.is(complaint(stderr).split('\n').length, 1, stderr);
  }
});

test('standard input is answered as it comes, line by line, and a reader that leaves is no error', async () => {
  const child = spawn(process.execPath, commandOf(['link', ...common, '--input', '-', '--json']), {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  for (const word of ['mouse', 'bat']) {
    child.stdin.write(`${JSON.stringify({ word, sentence: 'a small thing' })}\n`);
    const { value } = await answers.next();
    assert.is((JSON.parse(value!) as Line).word, word);
  }
  child.stdout.destroy();
  child.stdin.write(`${JSON.stringify({ word: 'seal', sentence: 'x' })}\n`);
  child.stdin.end();
  assert.is(await closed, 0);
});

test('a threshold needs a calibration, and answers none of them where it is too high', () => {
  const asked = ['--word', 'mouse', '--sentence', 'a small animal', '--top', '2'];
  const refused = link(...asked, '--threshold', '0.5');
  assert.is(refused.status, 1);
  assert.match(complaint(refused.stderr), /^--threshold: dsmip is not calibrated/);
  const made = dsmip('calibrate', ...common);
  assert.is(made.status, 0, made.stderr);
  assert.match(made.stdout, /^dsmip: temperature \d+\.\d{3}; a name adds /m);
  const { stdout } = link(...asked, '--threshold', '1');
  assert.match(stdout, /^mouse: a small animal \(in the knowledge base: \d+\.\d %\)\n +none of them\n/);
  const [line] = parsed(link(...asked, '--threshold', '1', '--json').stdout) as [
    Line & { inKnowledgeBase: number },
  ];
  assert.equal(line.entities, []);
  assert.ok(line.inKnowledgeBase > 0 && line.inKnowledgeBase < 1);
  assert.match(link(...asked).stdout, /^ +1 {2}[a-z]+ +Q\d+ +\d+\.\d % +-?\d+\.\d{3} {2}/m);
});

test('columns stand under each other, also for wide letters', () => {
  assert.equal(
    textTable(
      [
        ['a', '漢字', '1.0'],
        ['bb', 'Café', '10.0'],
      ],
      [0, 1],
    ),
    ['a   漢字   1.0', 'bb  Café  10.0'],
  );
});

test.after(() => removeToy(toy));

test.run();
