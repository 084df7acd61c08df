// The commands `ablate` and `reproduce`: what they list, that they fill cells and go on, wrong lists.

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, dsmip, makeToy, removeToy } from '../support/toy-run.ts';

const toy = await makeToy();
const commands = (stdout: string) =>
  stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('a row is listed as commands, filled, and then not filled again', () => {
  const run = join(toy.folder, 'cells');
  const small = ['--seeds', '1', '--epochs', '2', '--batch', '8', '--only', 'finetune'];
  const ablate = (...more: string[]) => dsmip('ablate', ...toy.flags, '--run', run, ...small, ...more);
  const list = commands(ablate('--list').stdout);
  assert.is(list.length, 2);
  assert.match(
    list[0]!,
    /dsmip\.ts train expert --expert multimodal .*--finetune-encoder .*--epochs 2 --batch 8/,
  );
  assert.match(list[1]!, /dsmip\.ts evaluate .*--split dev --mean/);

  const done = (stdout: string) => [...stdout.matchAll(/^\$ .*?dsmip\.ts (\w+) /gm)].map(([, word]) => word);
  const { status, stdout, stderr } = ablate();
  assert.is(status, 0, stderr);
  assert.equal(done(stdout), ['train', 'evaluate']);
  assert.match(stdout, /^CLIP fine-tuned +[\d,]+ +153 M +\d/m);
  const again = ablate();
  assert.is(again.status, 0, again.stderr);
  assert.equal(done(again.stdout), []);
  assert.match(again.stdout, /^CLIP fine-tuned/m);
});

test('wrong lists are one line', () => {
  for (const flags of [
    ['--seeds', '1,1'],
    ['--seeds', '1,x'],
    ['--seeds', ''],
    ['--only', 'full,empty'],
  ]) {
    const { status, stderr } = dsmip('ablate', '--list', ...flags);
    assert.is(status, 1);
    assert.match(complaint(stderr), /^--(seeds|only)[^\n]*: expected [^\n]*$/, `${flags}`);
  }
});

test("reproduce lists its commands with the paper's preset, and asks for what it needs", () => {
  const files = ['--data', '/d', '--weights', '/w'];
  const { status, stdout, stderr } = dsmip('reproduce', 'wikimel', ...files, '--list');
  assert.is(status, 0, stderr);
  const lines = commands(stdout);
  assert.is(lines.length, 5 + 3 + 2 + 5 + 1);
  assert.ok(lines.every((line) => /--preset wikimel .*--data \/d/.test(line)));
  assert.ok(lines.every((line) => line.includes('--clip /w') || line.includes(' report ')));
  assert.match(stdout, /train gate .*--gate-image clip/);
  assert.match(
    dsmip('reproduce', 'wikimel', ...files, '--vgg', '/v', '--list').stdout,
    /train gate .*--vgg \/v/,
  );
  for (const bad of [['imagenet', ...files], [...files], ['wikimel', '--data', '/d']]) {
    const failed = dsmip('reproduce', ...bad);
    assert.is(failed.status, 1);
    assert.match(complaint(failed.stderr), /^[^\n]*expected[^\n]*$/);
  }
});

test.after(() => removeToy(toy));

test.run();
