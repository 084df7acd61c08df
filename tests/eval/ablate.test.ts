// The ablations: the commands of each cell, what is not run again, means and spreads.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ablationTables, spread } from '../../eval/ablation/tables.ts';
import type { Results } from '../../eval/results.ts';
import { complaint, makeToy, removeToy, script } from '../support/toy-run.ts';

const toy = await makeToy();
const folder = mkdtempSync(join(tmpdir(), 'dsmip-ablate-'));
const list = (...flags: string[]) => script('eval/ablate.ts', ['--run', folder, '--list', ...flags]);
const commands = (stdout: string) =>
  stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

/** Results in which every system has H@1 `hits`. */
function results(hits: number): Results {
  const metrics = {
    'hits@1': hits,
    'hits@3': 80,
    'hits@5': 85,
    'hits@10': 90,
    'hits@20': 95,
    mrr: 75,
    mr: 5,
  };
  const systems = { dsmip: metrics, text: metrics, visual: metrics, multimodal: metrics, mean: metrics };
  const parameters = { multimodal: 7548515 };
  return {
    split: 'dev',
    mentions: 9,
    entities: 16,
    systems,
    gate: null,
    parameters,
    seconds: {},
    device: '',
  };
}

test('every row has its commands, with its flags and no other', () => {
  const { status, stdout, stderr } = list('--seeds', '4,7', '--epochs', '1', '--split', 'test');
  assert.is(status, 0, stderr);
  const of = (row: string) => commands(stdout).filter((line) => line.includes(`${row}${'/'}seed-4`));
  const counts = ['full', 'no-prompts', 'finetune', 'low-resource'].map((row) => of(row).length);
  assert.equal(counts, [5, 3, 2, 4]);
  assert.is(commands(stdout).length, 28);
  assert.ok(commands(stdout).every((line) => /evaluate/.test(line) || line.includes('--epochs 1')));
  assert.ok(commands(stdout).every((line) => !/evaluate/.test(line) || line.includes('--split test')));
  const withFlag = (flag: string) => commands(stdout).filter((line) => line.includes(flag));
  assert.is(withFlag('--no-prompts').length, 2);
  assert.is(withFlag('--finetune-encoder').length, 2);
  assert.is(withFlag('--train-fraction 0.1').length, 6);
  assert.match(stdout, /# text expert: that of full\/seed-4/);
});

test('a row alone trains all that it needs', () => {
  const lines = commands(list('--only', 'no-prompts', '--seeds', '1').stdout);
  assert.is(lines.length, 4);
  assert.match(lines[0]!, /--expert text/);
  assert.not.match(lines[0]!, /--no-prompts/);
  assert.match(lines[1]!, /--expert multimodal .*--no-prompts/);
});

test('finished cells are not run again; cells of other settings are one line', () => {
  const settings = { split: 'dev', fraction: '0.1', flags: '' };
  mkdirSync(folder, { recursive: true });
  const store = { settings, cells: { 'full/seed-1': results(60) } };
  writeFileSync(join(folder, 'ablations.json'), JSON.stringify(store));
  const { stdout } = list('--only', 'full', '--seeds', '1,2');
  assert.match(stdout, /# full\/seed-1: finished/);
  assert.is(commands(stdout).length, 5);
  const table = script('eval/ablate.ts', ['--run', folder, '--only', 'full', '--seeds', '1']);
  assert.is(table.status, 0, table.stderr);
  assert.match(table.stdout, /^DSMIP +60\.00 .* 88\.97 +95\.70 +96\.86$/m);

  const other = list('--split', 'test');
  assert.is(other.status, 1);
  assert.match(
    complaint(other.stderr),
    /^[^\n]*ablations\.json: belongs to ablations with split 'dev'[^\n]*$/,
  );
  rmSync(join(folder, 'ablations.json'));
});

test('cells are run, stopped by what fails, gone on with, and then not run again', () => {
  const run = join(toy.folder, 'cells');
  const small = ['--seeds', '1', '--epochs', '1', '--batch', '8'];
  const ablate = (...only: string[]) =>
    script('eval/ablate.ts', [...toy.flags, '--run', run, ...small, '--only', ...only]);
  const commandsRun = (stdout: string) => [...stdout.matchAll(/^\$ .*?(\w+)\.ts /gm)].map(([, file]) => file);
  renameSync(toy.clip, `${toy.clip}-away`);
  const failed = ablate('finetune');
  renameSync(`${toy.clip}-away`, toy.clip);
  assert.is(failed.status, 1);
  assert.equal(commandsRun(failed.stdout), ['expert']);
  assert.not.ok(existsSync(join(run, 'ablations.json')));

  const { status, stdout, stderr } = ablate('finetune');
  assert.is(status, 0, stderr);
  assert.equal(commandsRun(stdout), ['expert', 'evaluate']);
  assert.match(stdout, /^CLIP fine-tuned +[\d,]+ +153 M +\d/m);
  const again = ablate('finetune');
  assert.is(again.status, 0, again.stderr);
  assert.equal(commandsRun(again.stdout), []);
  assert.match(again.stdout, /^CLIP fine-tuned/m);
});

test('wrong lists are one line', () => {
  for (const flags of [
    ['--seeds', '1,1'],
    ['--seeds', '1,x'],
    ['--seeds', ''],
    ['--only', 'full,empty'],
  ]) {
    const { status, stderr } = list(...flags);
    assert.is(status, 1);
    assert.match(complaint(stderr), /^--(seeds|only)[^\n]*: expected [^\n]*$/, `${flags}`);
  }
});

test('tables give mean and sample deviation over the seeds, and what low resource costs', () => {
  assert.is(spread([60, 62, 64]), '62.00 ± 2.00');
  assert.is(spread([60]), '60.00');
  const cells = {
    'full/seed-1': results(60),
    'full/seed-2': results(64),
    'low-resource/seed-1': results(30),
    'low-resource/seed-2': results(32),
  };
  const lines = ablationTables(cells, [1, 2]);
  const line = (start: string) => lines.find((text) => text.startsWith(start)) ?? '';
  assert.match(line('visual expert alone'), /62\.00 ± 2\.83 .* 31\.51 +37\.57 +40\.64$/);
  assert.match(line('interactive prompts'), /7,548,515 +7\.6 M/);
  assert.match(line('dsmip'), /31\.00 ± 1\.41 .* -31\.00 \(-50\.0 %\)$/);
  assert.is(line('DSMIP without prompts'), '');
  assert.equal(ablationTables({}, [1, 2]), []);
});

test("reproduce lists its commands with the paper's preset, and asks for what it needs", () => {
  const files = ['--data', '/d', '--weights', '/w'];
  const { status, stdout, stderr } = script('eval/reproduce.ts', ['wikimel', ...files, '--list']);
  assert.is(status, 0, stderr);
  const lines = commands(stdout);
  assert.is(lines.length, 5 + 3 + 2 + 5 + 1);
  assert.ok(lines.every((line) => line.includes('--preset wikimel --data /d')));
  assert.ok(lines.every((line) => line.includes('--clip /w') || line.includes('report.ts')));
  assert.match(stdout, /gate\.ts .*--gate-image clip/);
  assert.match(
    script('eval/reproduce.ts', ['wikimel', ...files, '--vgg', '/v', '--list']).stdout,
    /gate\.ts .*--gate-image vgg --vgg \/v/,
  );
  for (const bad of [['imagenet', ...files], [...files], ['wikimel', '--data', '/d']]) {
    const failed = script('eval/reproduce.ts', bad);
    assert.is(failed.status, 1);
    assert.match(complaint(failed.stderr), /^[^\n]*expected[^\n]*$/);
  }
});

test.after(() => {
  rmSync(folder, { recursive: true });
  removeToy(toy);
});

test.run();
