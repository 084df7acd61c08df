// A whole small comparison: two seeds, stopped and gone on with to the same file, what a changed option makes again, wrong input,
// and the page.

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../engine/device.ts';
import { type CompareFiles, type CompareHooks, compareSystems } from '../../../eval/compare/compare.ts';
import { type CompareConfig, compareSchema } from '../../../eval/compare/compare-schema.ts';
import { type Comparison, readComparison } from '../../../eval/compare/comparison-file.ts';
import { lockFolder } from '../../../files/folder-lock.ts';
import { checkedJson } from '../../../files/json/checked-json.ts';
import { checkConfig } from '../../../train/config/check.ts';
import { type Preset, readPreset } from '../../../train/config/presets.ts';
import {
  bytesOf,
  makeToy,
  makeToyBert,
  openToy,
  refusal,
  removeToy,
  runFolder,
  stopAfter,
} from '../../support/toy-run.ts';

const device = await openDevice();
const toy = await makeToy(device);
const session = await openToy(toy, device);
const preset: Preset = await readPreset('openconcepts');

function config(run: string, compare: object, more: object = {}): CompareConfig {
  return checkConfig(compareSchema, {
    data: { folder: toy.data },
    clip: { folder: toy.clip },
    cache: { folder: join(toy.folder, 'cache') },
    run: { folder: runFolder(toy, run) },
    compare,
    training: { epochs: 2 },
    evaluation: { split: 'dev' },
    ...more,
  });
}

/** Compares, and says what was begun and what was kept. */
async function compareToy(
  settings: CompareConfig,
  hooks: CompareHooks = {},
  own = preset,
): Promise<CompareFiles & { begun: string[]; kept: string[] }> {
  const [begun, kept]: string[][] = [[], []];
  const found = await compareSystems(settings, own, session, {
    ...hooks,
    onContender: ({ name }, seed, isKept) => (isKept ? kept : begun)!.push(`${name} ${seed}`),
  });
  return { ...found, begun: begun!, kept: kept! };
}

/** A comparison without times and memory. */
function lasting({ systems, ...rest }: Comparison) {
  return {
    ...rest,
    systems: systems.map(({ costs, runs, ...own }) => ({
      ...own,
      runs: runs.map(({ seed, metrics }) => ({ seed, metrics })),
    })),
  };
}

const all = { systems: ['clip-zero-shot', 'clip-head', 'dsmip'], seeds: [1, 2] };
const whole = await compareToy(config('whole', all));

test('every system has its rows, its seeds and its costs', async () => {
  assert.equal(whole.begun, ['clip-zero-shot null', 'clip-head 1', 'dsmip 1', 'clip-head 2', 'dsmip 2']);
  const { systems, pairs, mentions } = whole.comparison;
  const experts = ['text', 'visual', 'multimodal', 'mean', 'standardised-mean', 'fixed-mixture', 'dsmip'];
  assert.equal(
    systems.map(({ name }) => name),
    ['clip-zero-shot', 'clip-head', ...experts],
  );
  assert.equal(mentions, { all: 8, image: 5, 'no image': 3 });
  const of = (name: string) => systems.find((system) => system.name === name)!;
  assert.equal(
    of('clip-zero-shot').runs.map(({ seed }) => seed),
    [null],
  );
  assert.is(of('clip-zero-shot').parameters, 0);
  assert.is(of('clip-zero-shot').spread, null);
  assert.is(of('clip-zero-shot').costs.train, null);
  assert.equal(
    of('clip-head').runs.map(({ seed }) => seed),
    [1, 2],
  );
  for (const { name, costs, spread, parameters, bytesPerEntity } of systems.slice(1)) {
    assert.ok(costs.train! > 0 && costs.encode > 0 && costs.rank > 0 && costs.mention > 0, name);
    assert.ok(costs.trainBytes! > 0 && costs.rankBytes > 0 && parameters > 0 && bytesPerEntity > 0, name);
    assert.ok(spread!.all!.mr >= 0, name);
  }
  // Its own numbers: those of its experts and of the gate besides.
  assert.ok(of('dsmip').parameters > of('text').parameters + of('multimodal').parameters);
  assert.is(of('mean').parameters, of('text').parameters + of('multimodal').parameters);
  // Two cosines a pair: a vector of 2 x 8 numbers in float16.
  assert.is(of('clip-zero-shot').bytesPerEntity, 32);
  const [one, two] = of('clip-head').runs.map(({ metrics }) => metrics.all!.mrr);
  assert.ok(Math.abs(of('clip-head').mean.all!.mrr - (one! + two!) / 2) < 1e-9);
  assert.ok(Math.abs(of('clip-head').spread!.all!.mrr - Math.abs(one! - two!) / Math.SQRT2) < 1e-9);
  const parts = of('dsmip').mean;
  assert.ok(
    Math.abs(8 * parts.all!['hits@3'] - 5 * parts.image!['hits@3'] - 3 * parts['no image']!['hits@3']) < 1e-6,
  );
  assert.is(pairs.length, (9 * 8) / 2);
  const pair = pairs.find(({ a, b }) => a === 'clip-head' && b === 'dsmip')!;
  const expected = of('clip-head').mean.all!['hits@1'] - of('dsmip').mean.all!['hits@1'];
  assert.ok(Math.abs(pair.difference - expected) < 1e-9);
});

test('what is finished is kept: a second call does nothing and writes the same bytes', async () => {
  const before = bytesOf(whole.json);
  const again = await compareToy(config('whole', all));
  assert.equal(again.begun, []);
  assert.is(again.kept.length, 5);
  assert.is(bytesOf(again.json), before);
});

test('stopped in a training, and again in another, it goes on to the same ranks', async () => {
  // One seed, for time; tests/cli/compare.test.ts has two.
  const settings = config('stopped', { ...all, seeds: [1] });
  const reason = new Error('stopped');
  for (const steps of [3, 5]) {
    const error = await compareToy(settings, stopAfter(steps, reason)).catch((error: Error) => error);
    assert.is(error, reason);
  }
  const { begun, comparison } = await compareToy(settings);
  assert.ok(begun.length < 3, `${begun}`);
  const metrics = ({ systems }: Comparison) =>
    systems.map(({ name, runs }) => [name, runs[0]!.seed, runs[0]!.metrics]);
  assert.equal(metrics(comparison), metrics(whole.comparison));
});

test('results that are damaged are ranked again, on the weights that are there', async () => {
  const folder = join(runFolder(toy, 'whole'), 'clip-head', 'seed-1');
  const weights = join(folder, 'clip-head', 'best.safetensors');
  const { mtimeMs } = statSync(weights);
  for (const file of ['clip-head.ranks.json', 'clip-head.made-from.json']) {
    const text = readFileSync(join(folder, file), 'utf8');
    writeFileSync(join(folder, file), text.replace(/\d(?=\D*$)/, 'x'));
  }
  const warnings: string[] = [];
  const again = await compareToy(config('whole', all), { onWarning: (line) => warnings.push(line) });
  assert.equal(again.begun, ['clip-head 1']);
  assert.is(
    warnings.filter((line) => /\.json: was damaged or edited .*; it is made again/.test(line)).length,
    2,
  );
  assert.is(statSync(weights).mtimeMs, mtimeMs);
  assert.equal(lasting(again.comparison), lasting(whole.comparison));
});

test('another option makes its rows again and no others; another split ranks only', async () => {
  const head = preset.baselines['clip-head']!;
  const other = {
    ...preset,
    baselines: { ...preset.baselines, 'clip-head': { ...head, learningRate: 0.02 } },
  };
  const found = await compareToy(config('whole', all), {}, other);
  assert.equal(found.begun, ['clip-head 1', 'clip-head 2']);
  const weights = join(runFolder(toy, 'whole'), 'clip-head', 'seed-1', 'clip-head', 'best.safetensors');
  const { mtimeMs } = statSync(weights);
  const only = { systems: ['clip-zero-shot', 'clip-head'], seeds: [1, 2] };
  const test = await compareToy(config('whole', only, { evaluation: { split: 'test' } }), {}, other);
  assert.equal(test.begun, ['clip-zero-shot null', 'clip-head 1', 'clip-head 2']);
  assert.is(test.comparison.mentions.all, 10);
  assert.is(statSync(weights).mtimeMs, mtimeMs);
});

test('a row of the same system with other settings is trained beside it', async () => {
  const only = { systems: ['clip', 'clip-cross'], seeds: [1] };
  const { comparison } = await compareToy(config('variants', only, { training: { epochs: 1 } }));
  assert.equal(
    comparison.systems.map(({ name, contender }) => [name, contender]),
    [
      ['clip', 'clip'],
      ['clip-cross', 'clip-cross'],
    ],
  );
  const folders = ['clip', 'clip-cross'].map((name) =>
    join(runFolder(toy, 'variants'), name, 'seed-1', 'clip'),
  );
  assert.ok(folders.every((folder) => existsSync(join(folder, 'best.safetensors'))));
  const [one, two] = folders.map((folder) => bytesOf(folder, 'best.safetensors'));
  assert.is.not(one, two);
});

test('a reranker is trained after its first stage, in its folder, and shares what that has', async () => {
  const bert = await makeToyBert(toy.folder, session);
  const own = { ...session, encoders: { bert } };
  // The toy has too few mentions for a part of them, and all its entities shall be candidates.
  const usual = preset.baselines['blink-two-stage']!;
  const reranker = { ...usual, trainFraction: 1, options: { ...usual.options, candidates: 16 } };
  const whole = { ...preset, baselines: { ...preset.baselines, 'blink-two-stage': reranker } };
  const begun: string[] = [];
  const compareOf = (systems: string[]) =>
    compareSystems(config('two-stages', { systems, seeds: [1] }, { bert: { folder: bert } }), whole, own, {
      onContender: ({ name }, _, isKept) => begun.push(isKept ? `(${name})` : name),
    });
  const { comparison } = await compareOf(['blink-two-stage']);
  assert.equal(begun.splice(0), ['blink', 'blink-two-stage']);
  const [second] = comparison.systems;
  assert.is(second!.name, 'blink-two-stage');
  assert.is(second!.recall, 100, 'the toy has no more entities than candidates');
  const { systems } = (await compareOf(['blink', 'blink-two-stage'])).comparison;
  assert.equal(begun.splice(0), ['(blink)', '(blink-two-stage)']);
  const [first] = systems;
  assert.is(first!.recall, null);
  assert.is(systems[1]!.bytesPerEntity, first!.bytesPerEntity);
  assert.ok(systems[1]!.parameters > first!.parameters);
  assert.ok(systems[1]!.costs.train! > first!.costs.train! && systems[1]!.costs.rank > first!.costs.rank);
  assert.ok(existsSync(join(runFolder(toy, 'two-stages'), 'blink', 'seed-1', 'blink-two-stage')));
});

test('what a system lacks is said before another is trained', async () => {
  const settings = config('lacking', { systems: ['clip-head', 'bert'], seeds: [1] });
  const own = { ...session, encoders: { bert: join(toy.folder, 'nowhere') } };
  const { message } = await refusal(() => compareSystems(settings, preset, own));
  assert.match(message, /nowhere/);
  assert.not.ok(existsSync(runFolder(toy, 'lacking')));
});

test('unknown systems, a folder that is written to and damaged files are one line', async () => {
  const { message } = await refusal(async () => config('x', { systems: ['clip', 'bart'] }));
  assert.match(message, /^compare\.systems: expected some of .*clip-head.*, found .*bart/);
  const run = runFolder(toy, 'locked');
  const lock = await lockFolder(run);
  const locked = await refusal(() => compareToy(config('locked', all)));
  assert.match(locked.message, /writing there already/);
  await lock.release();
  const path = join(runFolder(toy, 'whole'), 'damaged.json');
  for (const [text, expected] of [
    ['{"version": 1, "da', /damaged\.json: not valid JSON/],
    ['{"version": 9}', /version: expected 2; compare again, found 9/],
    ['null', /damaged\.json: expected an object, found null/],
    [checkedJson({ version: 2, data: 3 }), /data: expected a string, found 3/],
  ] as const) {
    writeFileSync(path, text);
    assert.match((await refusal(() => readComparison(path))).message, expected);
  }
});

test('the page has the rows, loads nothing, and what the data set says stays text', async () => {
  const { comparePage } = await import('../../../eval/compare/page/page.ts');
  const nasty = `<img src=x onerror='alert(1)'> & more`;
  const { comparison } = whole;
  const [first, ...others] = comparison.systems;
  const page = comparePage({ ...comparison, data: nasty, systems: [{ ...first!, title: nasty }, ...others] });
  const { document } = parseHTML(page);
  assert.is(document.querySelectorAll('script, link, iframe, img, [src], [onerror]').length, 0);
  assert.is(document.querySelector('h1')!.textContent, `Systems compared on ${nasty}`);
  const tables = [...document.querySelectorAll('table')];
  const rowsOf = (table: Element) =>
    [...table.querySelectorAll('tbody tr')].map((row) => row.querySelector('th')!.textContent);
  assert.is(tables.length, 6, 'results, groups, matrix, pairs, costs, the paper');
  for (const table of [tables[0], tables[1], tables[2], tables[4]]) {
    assert.equal(
      rowsOf(table!),
      [nasty, ...others.map(({ title }) => title)].map((title, i) => `${i + 1} ${title}`),
    );
  }
  assert.is(rowsOf(tables[3]!).length, comparison.pairs.length);
  const charts = [...document.querySelectorAll('svg')];
  assert.is(charts.length, 4, 'images, three costs');
  assert.ok(
    charts.every((chart) => chart.getAttribute('role') === 'img' && chart.getAttribute('aria-label')),
  );
  assert.not.match(page, /NaN|undefined|@import|url\(/);
  assert.is(readFileSync(whole.page, 'utf8').includes('Systems compared on toy'), true);
});

test("on the paper's data sets its figures stand beside", async () => {
  const { comparePage } = await import('../../../eval/compare/page/page.ts');
  const { compareTables } = await import('../../../eval/compare/table.ts');
  const [first, ...others] = whole.comparison.systems;
  const wiki = { ...whole.comparison, data: 'wikimel', systems: [{ ...first!, name: 'clip' }, ...others] };
  const lines = compareTables(wiki);
  const line = (start: string) => lines.find((text) => text.startsWith(start))!;
  assert.match(line('CLIP, zero-shot'), /\| +83\.23 +92\.10 +94\.51 +17\.60$/);
  assert.match(line('DSMIP'), /\| +88\.97 +95\.70 +96\.86 +10\.37$/);
  assert.match(line('text expert'), /\| +- +- +- +-$/);
  assert.ok(!compareTables(whole.comparison).some((text) => text.includes('paper')));
  const { document } = parseHTML(comparePage(wiki));
  const cells = [...document.querySelectorAll('table')[0]!.querySelectorAll('tbody tr')!].at(-1)!;
  assert.equal(
    [...cells.querySelectorAll('td.paper')].map((cell) => cell.textContent),
    ['88.97', '95.70', '96.86', '10.37'],
  );
});

test.after(() => {
  session.close();
  device.destroy();
  removeToy(toy);
});

test.run();
