// `npm start` on toy data: the stages in their order, the table, the report; a bad flag, a failure, kills; in one process and
// a process a stage.

import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openLinker } from '../../link/linker.ts';
import { bytesOf, complaint, dsmip, killThrice, makeToy, removeToy, runFolder } from '../support/toy-run.ts';

const toy = await makeToy();
const flags = (run: string) => [
  ...['start', ...toy.flags, '--run', runFolder(toy, run)],
  ...['--batch', '8', '--epochs', '1', '--split', 'dev', '--seed', '2'],
];
const folders = ['text', 'visual', 'multimodal', 'gate'];
const weights = (run: string) =>
  folders.flatMap((folder) =>
    ['best.safetensors', 'last.safetensors'].map((file) => bytesOf(runFolder(toy, run), folder, file)),
  );
const results = (run: string) =>
  ['metrics.json', 'predictions.jsonl'].map((file) =>
    readFileSync(join(runFolder(toy, run), file), 'utf8').replaceAll(
      /"(experts|dsmip)": [\d.e-]+(?=,|\n)|"checksum": "crc32:[0-9a-f]+"/g,
      '',
    ),
  );
const stagesOf = (run: string) => {
  const { finished } = JSON.parse(readFileSync(join(runFolder(toy, run), 'stages.json'), 'utf8')) as {
    finished: object;
  };
  return Object.keys(finished).sort();
};

test('one wrong flag is one line, and so is data that is missing: nothing is run', () => {
  for (const wrong of [
    ['--sead', '2'],
    ['--data', join(toy.folder, 'nowhere')],
    ['--epochs', '-1'],
    ['--isolate', '--clip', join(toy.folder, 'nowhere')],
  ]) {
    const { status, stdout, stderr } = dsmip(...flags('none'), ...wrong);
    assert.is(status, 1);
    assert.not.match(stdout, /^\$/m);
    assert.is(complaint(stderr).split('\n').length, 1, stderr);
  }
  assert.not.ok(existsSync(runFolder(toy, 'none')));
});

test('all stages are done in their order, to a table, a report and an index; a failure later leaves them all', async () => {
  const { status, stdout, stderr } = dsmip(...flags('run'));
  assert.is(status, 0, stderr);
  const commands = [
    ...stdout.matchAll(/^\$ \S+ (?:run -A )?\S*dsmip\.ts (.*?) --(?:run|data|expert (\S+))/gm),
  ];
  assert.equal(
    commands.map(([, words, expert]) => `${words}${expert ? ` ${expert}` : ''}`),
    [
      'train expert multimodal',
      'train expert text',
      'train expert visual',
      'train gate',
      'calibrate',
      'evaluate',
      'report',
      'index',
    ],
  );
  assert.match(stdout, /\$ .*train gate .*--seed 2/);
  for (const row of [
    'text expert',
    'visual expert',
    'multimodal expert',
    'plain mean',
    'DSMIP',
    '  on WikiMEL',
  ]) {
    assert.match(stdout, new RegExp(`^${row} +\\d+\\.\\d\\d `, 'm'));
  }
  assert.match(stdout, /^index +\d+:\d\d$/m);
  assert.match(stdout, /^in all +\d+:\d\d$/m);
  assert.match(readFileSync(join(runFolder(toy, 'run'), 'report.html'), 'utf8'), /<\/html>/);

  const linker = await openLinker(runFolder(toy, 'run'));
  assert.is((await linker.link([{ word: 'mouse', sentence: 'the animal with fur' }]))[0]!.length, 5);
  await linker.close();

  const before = [weights('run'), results('run')];
  const model = join(toy.clip, 'model.safetensors');
  renameSync(model, `${model}-away`);
  const failed = dsmip(...flags('run'), '--seed', '3');
  renameSync(`${model}-away`, model);
  assert.is(failed.status, 1);
  assert.match(complaint(failed.stderr), /model\.safetensors: no such file[^\n]*$/);
  const wild = dsmip(...flags('run'), '--seed', '3', '--batch', '2000');
  if (wild.status !== 0) assert.match(complaint(wild.stderr), /\n.*--resume/);
  else dsmip(...flags('run'));
  assert.equal([weights('run'), results('run')], before, 'the finished run is as it was');
});

test('a process a stage gives the same bits, and so does a run that was killed and resumed', async () => {
  const isolated = dsmip(...flags('isolated'), '--isolate');
  assert.is(isolated.status, 0, isolated.stderr);
  assert.equal(weights('isolated'), weights('run'));
  assert.equal(results('isolated'), results('run'));
  const delays = await killThrice(flags('killed'), 1000);
  assert.is.not(delays[0], null, 'the run was over before it could be killed');
  const resumed = dsmip(...flags('killed'), '--resume');
  assert.is(resumed.status, 0, resumed.stderr);
  assert.ok(`${weights('killed')}` === `${weights('run')}`, `killed after ${delays} ms`);
  assert.equal(results('killed'), results('run'));
  assert.equal(stagesOf('killed'), stagesOf('run'));
});

test.after(() => removeToy(toy));

test.run();
