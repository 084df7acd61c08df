// `npm start` on toy data: the stages in their order, the table, the report, a bad flag, a failing stage.

import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, makeToy, removeToy, script } from '../support/toy-run.ts';

const toy = await makeToy();
const run = join(toy.folder, 'run');
const flags = [...toy.flags, '--run', run, '--batch', '8', '--epochs', '1', '--split', 'dev', '--seed', '2'];

test('one wrong flag is one line, and nothing is run', () => {
  const { status, stdout, stderr } = script('eval/start.ts', [...flags, '--sead', '2']);
  assert.is(status, 1);
  assert.is(stdout, '');
  assert.is(stderr.trim().split('\n').length, 1, stderr);
  assert.not.ok(existsSync(run));
});

test('a stage that fails stops the rest with its exit code, and --resume goes on to the report', () => {
  const [images, away] = [join(toy.clip, 'model.safetensors'), join(toy.folder, 'away')];
  renameSync(images, away);
  const failed = script('eval/start.ts', flags);
  renameSync(away, images);
  assert.is(failed.status, 1);
  assert.is(failed.stdout.match(/^\$ /gm)?.length, 1);
  assert.match(
    complaint(failed.stderr),
    /model\.safetensors: no such file[^\n]*\ntext expert: failed[^\n]*\n.*--resume/,
  );

  const { status, stdout, stderr } = script('eval/start.ts', [...flags, '--resume']);
  assert.is(status, 0, stderr);
  const commands = [...stdout.matchAll(/^\$ \S+ (?:run -A )?(\S+)(?: --expert (\S+))?/gm)].map(
    ([, file, expert]) => `${file}${expert ? ` ${expert}` : ''}`,
  );
  const expected = ['expert.ts text', 'expert.ts visual', 'expert.ts multimodal', 'gate.ts'];
  assert.equal(
    commands.map((command) => command.replaceAll('\\', '/').replace(/^.*\//, '')),
    [...expected, 'evaluate.ts', 'report.ts'],
  );
  assert.match(stdout, /\$ .*train.gate\.ts .*--seed 2/);
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
  assert.match(stdout, /^in all +\d+:\d\d$/m);
  assert.match(readFileSync(join(run, 'report.html'), 'utf8'), /<\/html>/);
});

test.after(() => removeToy(toy));

test.run();
