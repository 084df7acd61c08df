// The report of a run: everything in one file, whatever the run has, and nothing of the data taken for HTML.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { metricsVersion } from '../../eval/results.ts';
import { writeReport } from '../../eval/write-report.ts';
import { checkedJson, checkedLine } from '../../files/json/checked-json.ts';
import { makeToy, removeToy } from '../support/toy-run.ts';

const toy = await makeToy();
const run = join(toy.folder, 'run');
const nasty = `<img src="http://example.org/x.png" onerror='alert(1)'> & more`;

type Json = Record<string, unknown>;
const readJson = (file: string) => JSON.parse(readFileSync(join(toy.data, file), 'utf8')) as Json[];
const entities = readJson('kb_entity.json');
entities[3]!['entity_name'] = nasty;
writeFileSync(join(toy.data, 'kb_entity.json'), JSON.stringify(entities));
const mentions = readJson('toy_train.json');
for (const mention of mentions) mention['sentence'] = `a mouse, a dormouse and ${nasty}`;
mentions[0]!['mentions'] = nasty;
writeFileSync(join(toy.data, 'toy_train.json'), JSON.stringify(mentions));

/** Mention i's answer has rank 1 + i % 8; its first five are the entities from 0 on, with the answer in its place. */
const predictions = mentions.map((mention, i) => {
  const rank = 1 + (i % 8);
  const others = entities.filter(({ qid }) => qid !== mention['answer']).slice(0, 5);
  others.splice(rank - 1, 0, entities.find(({ qid }) => qid === mention['answer'])!);
  const top = others.slice(0, 5).map(({ qid, entity_name }, place) => {
    return { qid, name: entity_name, score: 5 - place, expert: place % 2 ? 'text' : 'multimodal' };
  });
  const ranks = { text: rank, multimodal: Math.max(1, rank - 1), mean: rank, dsmip: rank };
  const { mentions: word, answer, id } = mention;
  return { mention: i, id, word, answer, rank, ranks, expert: 'text', top };
});
const metrics = {
  'hits@1': 12.5,
  'hits@3': 37.5,
  'hits@5': 62.5,
  'hits@10': 100,
  'hits@20': 100,
  mrr: 33,
  mr: 4.5,
};
const picked = { text: 75, multimodal: 25 };
const results = {
  split: 'train',
  mentions: 40,
  entities: 16,
  systems: { text: metrics, multimodal: metrics, mean: metrics, dsmip: metrics },
  confidence: {
    'dsmip+names': {
      calibrationError: 0.0456,
      auroc: 0.8125,
      takenOut: 20,
      curve: [0, 0.2, 0.5, 0.8, 1].map((threshold) => ({
        threshold,
        precision: threshold === 1 ? null : 0.4 + threshold / 2,
        recall: 0.9 - threshold,
      })),
    },
  },
  kinds: {
    gloss: { mentions: 25, systems: { text: { ...metrics, mrr: 61.25 } }, picked: null },
    sentence: {
      mentions: 15,
      systems: { text: metrics, dsmip: metrics },
      picked: { overall: picked, mentionWithoutImage: picked, entityWithoutImage: {} },
    },
  },
  gate: {
    form: 'choice',
    by: 'pair',
    experts: ['text', 'multimodal'],
    picked: { overall: picked, mentionWithoutImage: picked, entityWithoutImage: {} },
  },
  parameters: { text: 1234567 },
  seconds: {},
  device: nasty,
  madeFrom: { inputs: '', checkpoints: {} },
};
const course = [
  { step: 1, epoch: 1, loss: 2.5 },
  { step: 2, epoch: 1, loss: 1.5 },
  { step: 2, epoch: 1, dev: metrics },
];
/** The log of a training as it is written. */
function log(values: readonly object[]): string {
  const all: string[] = [];
  for (const value of values) all.push(checkedLine(value, all.at(-1) ?? ''));
  return all.join('');
}
const lines = (values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

function write(parts: readonly ('course' | 'metrics' | 'predictions')[]): void {
  rmSync(run, { recursive: true, force: true });
  mkdirSync(join(run, 'text'), { recursive: true });
  if (parts.includes('course')) writeFileSync(join(run, 'text', 'metrics.jsonl'), log(course));
  if (parts.includes('metrics')) writeMetrics(lines(predictions));
  if (parts.includes('predictions')) writeFileSync(join(run, 'predictions.jsonl'), lines(predictions));
}
/** Changes a file of the run in place. */
function edit(name: string, from: string | RegExp, to: string): void {
  const path = join(run, name);
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
}

/** Metrics that were written with these predictions. */
function writeMetrics(text: string, changes: object = {}): void {
  const hash = createHash('sha256').update(text).digest('hex');
  const value = { version: metricsVersion, ...results, predictions: hash, ...changes };
  writeFileSync(join(run, 'metrics.json'), checkedJson(value));
}

/** Predictions, and metrics that were written with them. */
function writeBoth(text: string): void {
  writeFileSync(join(run, 'predictions.jsonl'), text);
  writeMetrics(text);
}

const report = () => writeReport({ data: { folder: toy.data }, run: { folder: run } });
const page = () => readFileSync(join(run, 'report.html'), 'utf8');

test('a whole run gives a page with table, charts, twenty mentions and failures', async () => {
  write(['course', 'metrics', 'predictions']);
  await report();
  const { document } = parseHTML(page());
  const rows = [...document.querySelectorAll('table')][0]!.querySelectorAll('tbody tr');
  assert.equal(
    [...rows].map((row) => row.querySelector('th')!.textContent.trim().slice(0, 9)),
    [
      'text expe',
      'multimoda',
      'plain mea',
      'DSMIP',
      'The paper',
      'RichpediaMEL'.slice(0, 9),
      'WikiMEL',
      'WikiDiver',
    ],
  );
  const cards = [...document.querySelectorAll('article.card')];
  // Twenty by the rule, and a failure of each of the four words whose right entity is among the first five.
  assert.is(cards.length, 20 + 4);
  for (const card of cards) {
    const places = [...card.querySelectorAll('.ranking li')].map(
      (row) => row.querySelector('.place')!.textContent,
    );
    const gold = [...card.querySelectorAll('.ranking .gold')].map(
      (row) => row.querySelector('.place')!.textContent,
    );
    assert.is(gold.length, 1);
    assert.equal(places.slice(0, 5), ['1', '2', '3', '4', '5']);
    assert.equal(places.slice(5), Number(gold[0]) > 5 ? gold : []);
    assert.is(card.querySelector('.verdict')!.classList.contains('right'), gold[0] === '1');
  }
  const charts = [...document.querySelectorAll('svg')];
  assert.is(charts.length, 2 + 3 + 1 + 1 + 2, 'kinds, images, gate, confidence, one training');
  const sure = charts.find((chart) => chart.getAttribute('aria-label')!.startsWith('Precision'))!;
  assert.match(sure.getAttribute('aria-label')!, /of DSMIP \+ names by threshold: 0\.0: 40 \/ 90$/);
  assert.ok(document.body.textContent.includes('AUROC 0.813 (20 mentions without their entity)'));
  assert.ok(
    charts.every((chart) => chart.getAttribute('role') === 'img' && chart.getAttribute('aria-label')),
  );
  const kinds = [...document.querySelectorAll('table')][1]!;
  assert.equal([...kinds.querySelectorAll('th')].map((cell) => cell.textContent).slice(0, 5), [
    'System',
    'Dictionary glosses: H@1',
    'MRR',
    'Ordinary sentences: H@1',
    'MRR',
  ]);
  assert.equal(
    [...kinds.querySelectorAll('tbody tr')].map((row) =>
      [...row.querySelectorAll('td')].map((cell) => cell.textContent),
    ),
    [
      ['12.50', '61.25', '12.50', '33.00'],
      ['–', '–', '–', '–'],
      ['–', '–', '–', '–'],
      ['–', '–', '12.50', '33.00'],
    ],
  );
  assert.ok(document.body.textContent.includes('ordinary sentences'), 'what the gate chose by kind');
  assert.ok([...document.querySelectorAll('mark')].every((mark) => mark.textContent !== 'dormouse'));
  assert.ok(document.querySelectorAll('mark').length > 0);
});

test('the page loads nothing, runs nothing, and data stays text', () => {
  const { document } = parseHTML(page());
  assert.is(document.querySelectorAll('script, link, iframe, object, base, [onerror]').length, 0);
  const sources = [...document.querySelectorAll('[src], [href], image')].map(
    (element) => element.getAttribute('src') ?? element.getAttribute('href') ?? '',
  );
  assert.ok(sources.length > 20);
  assert.ok(sources.every((source) => /^data:image\/(jpeg|png|webp);base64,/.test(source)));
  assert.not.match(
    page()
      .replace(/<style>.*?<\/style>/s, '')
      .replaceAll('&lt;', ''),
    /<img src="http/,
  );
  assert.not.match(page(), /@import|url\(/);
  assert.ok(document.body.textContent.includes(nasty));
});

test('a run with less gives a shorter report', async () => {
  for (const [parts, cards, tables] of [
    [['course'], 0, 1],
    [['metrics'], 0, 3],
    [['course', 'metrics'], 0, 4],
    [['metrics', 'predictions'], 24, 3],
  ] as const) {
    write(parts);
    await report();
    const { document } = parseHTML(page());
    const found = [document.querySelectorAll('.card').length, document.querySelectorAll('table').length];
    assert.equal(found, [cards, tables], `${parts}`);
  }
});

test('what is damaged, of another data set or not a run is one line, and leaves no report', async () => {
  const bad: [string, () => void, RegExp][] = [
    ['no run', () => {}, /run: expected SYSTEM.metrics\.jsonl or metrics\.json/],
    [
      'cut off',
      () => writeFileSync(join(run, 'metrics.json'), '{"split": "tr'),
      /metrics\.json: not valid JSON/,
    ],
    [
      'a missing metric',
      () => writeMetrics('', { systems: { text: {} } }),
      /metrics\.json: systems: text: hits@1: expected a number/,
    ],
    [
      'a line of no prediction',
      () => writeBoth('{"mention": "x"}\n'),
      /predictions\.jsonl: line 1: mention: expected an integer/,
    ],
    [
      "another data set's predictions",
      () => writeBoth(lines([{ ...predictions[1], mention: 2 }])),
      /predictions\.jsonl: line 1: word: expected \w+, found \w+/,
    ],
    [
      'a number edited',
      () => edit('metrics.json', '"mrr":33', '"mrr":34'),
      /metrics\.json: was damaged or edited \(wrong checksum\); evaluate again/,
    ],
    [
      'predictions of another evaluation',
      () => writeFileSync(join(run, 'predictions.jsonl'), lines(predictions.slice(1))),
      /predictions\.jsonl: is not the one that was written with .*metrics\.json; evaluate again/,
    ],
    [
      'a loss edited',
      () => edit('text/metrics.jsonl', '1.5', '1.4'),
      /text.metrics\.jsonl: line 2: was damaged or edited/,
    ],
    [
      'a line taken out',
      () => edit('text/metrics.jsonl', /\n.*\n/, '\n'),
      /text.metrics\.jsonl: line 2: was damaged or edited/,
    ],
    [
      'other weights than were evaluated',
      () => {
        writeFileSync(join(run, 'text', 'best.safetensors'), 'other');
        rmSync(join(run, 'text', 'metrics.jsonl'));
        writeMetrics('', { madeFrom: { inputs: '', checkpoints: { text: '0' } } });
      },
      /metrics\.json: is of another .*best\.safetensors than there is now; evaluate again/,
    ],
  ];
  for (const [what, damage, message] of bad) {
    write(what === 'no run' ? [] : ['metrics', 'course']);
    damage();
    let line = '';
    await report().catch((error: Error) => {
      line = error.message;
    });
    assert.match(line, message, what);
    assert.is(line.split('\n').length, 1, line);
    assert.not.ok(existsSync(join(run, 'report.html')));
  }
});

test.after(() => removeToy(toy));

test.run();
