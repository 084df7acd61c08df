// Commands one after another: their order, what a failure does, what is run again after it.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, durationLines, runStages, type Stage } from '../../eval/stages.ts';

// What the stages say is of no interest here.
console.log = () => {};
console.error = () => {};

const test = suite('stages');
let folder = '';
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'dsmip-stages-'));
});
test.after.each(() => rmSync(folder, { recursive: true }));

/** Stages a, b, c; `exit` is b's exit code. */
function stages(exit: number): Stage[] {
  const log = join(folder, 'log');
  return ['a', 'b', 'c'].map((name) => ({
    name,
    file: 'tests/support/stage.ts',
    flags: [log, name, ...(name === 'b' && exit ? ['--exit', `${exit}`] : ['--write', join(folder, name)])],
    writes: [name],
    resumes: name !== 'c',
  }));
}
const noted = () => readFileSync(join(folder, 'log'), 'utf8').trim().split('\n');

test('all run in their order, each is timed', async () => {
  const { code, seconds } = await runStages(folder, stages(0), false);
  assert.is(code, 0);
  assert.equal(noted(), ['a', 'b', 'c']);
  assert.equal(Object.keys(seconds), ['a', 'b', 'c']);
  assert.is(durationLines(seconds).length, 4);
});

test('a failing one stops the rest, its exit code is given, resuming begins with it', async () => {
  assert.is((await runStages(folder, stages(7), false)).code, 7);
  assert.equal(noted(), ['a', 'b']);
  assert.is((await runStages(folder, stages(0), true)).code, 0);
  assert.equal(noted(), ['a', 'b', 'b resumed', 'c']);
  assert.is((await runStages(folder, stages(0), true)).code, 0);
  assert.equal(noted().length, 4, 'all were finished');
});

test('one whose product is gone is run again, and all after it, from their beginning', async () => {
  await runStages(folder, stages(0), false);
  rmSync(join(folder, 'a'));
  assert.is((await runStages(folder, stages(0), true)).code, 0);
  assert.equal(noted().slice(3), ['a resumed', 'b', 'c']);
});

test('without resuming, what an earlier run left goes first', async () => {
  await runStages(folder, stages(0), false);
  writeFileSync(join(folder, 'other'), 'not ours');
  assert.is((await runStages(folder, stages(3), false)).code, 3);
  assert.equal(noted(), ['a', 'b', 'c', 'a', 'b']);
  assert.equal([existsSync(join(folder, 'b')), existsSync(join(folder, 'c'))], [false, false]);
  assert.ok(existsSync(join(folder, 'other')));
});

test('a command is shown so that it can be typed', () => {
  const stage = { name: 'x', file: 'x.ts', flags: ['--run', "my folder's"], writes: [], resumes: false };
  assert.match(commandLine(stage), /x\.ts --run 'my folder'\\''s'$/);
});

test.run();
