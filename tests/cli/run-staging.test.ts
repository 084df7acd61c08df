// Where a whole run is made: one at a time, and what an interrupted one has left.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openRunStaging } from '../../cli/run-staging.ts';
import { refusal } from '../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-run-'));
test.after(() => rmSync(folder, { recursive: true }));
const files = ['a/best', 'metrics.json'];

function write(run: string, text: string): void {
  mkdirSync(join(run, 'a'), { recursive: true });
  for (const file of [...files, 'stages.json']) writeFileSync(join(run, file), text);
}

test('the second one is refused in a line, and takes nothing from the first', async () => {
  const run = join(folder, 'two');
  write(run, 'finished');
  const first = await openRunStaging(run, files, false);
  write(first.folder, 'going on');
  for (const resume of [false, true]) {
    const { message } = await refusal(() => openRunStaging(run, files, resume));
    assert.match(message, /two: this process is writing there already/);
  }
  assert.is(readFileSync(join(first.folder, 'a/best'), 'utf8'), 'going on');
  await first.finish();
  await first.release();
  assert.is(readFileSync(join(run, 'a/best'), 'utf8'), 'going on');
  await (await openRunStaging(run, files, false)).release();
});

test('what was being moved when it was interrupted is moved by the next', async () => {
  const run = join(folder, 'moved');
  write(run, 'old');
  write(`${run}.new`, 'new');
  writeFileSync(join(`${run}.new`, 'finished'), '');
  rmSync(join(`${run}.new`, 'a/best'));
  writeFileSync(join(run, 'a/best'), 'new');
  await (await openRunStaging(run, files, true)).release();
  for (const file of [...files, 'stages.json']) assert.is(readFileSync(join(run, file), 'utf8'), 'new');
  assert.not.ok(existsSync(`${run}.new`));
});

test.run();
