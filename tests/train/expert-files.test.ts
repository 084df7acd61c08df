// What stage 1 finds on disk: damaged caches are made again, checkpoints of other runs are refused.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, makeToy, removeToy, script } from '../support/toy-run.ts';

const toy = await makeToy();
const small = ['--batch', '8', '--epochs', '3', '--lr', '0.005', '--prompt-depth', '1'];
const flagsOf = (run: string, expert: string) => [...toy.flags, ...small, '--run', run, '--expert', expert];
const runs = (name: string) => join(toy.folder, name);
const bytes = (run: string, file: string) => readFileSync(join(run, file)).toString('base64');

test('features from the cache give the same bits as fresh ones, and a damaged cache is made again', () => {
  const whole = join(runs('fresh'), 'text');
  script('train/expert.ts', flagsOf(runs('fresh'), 'text'));
  const cache = join(toy.folder, 'cache');
  for (const file of readdirSync(cache)) {
    const path = join(cache, file);
    const content = readFileSync(path);
    writeFileSync(path, content.subarray(0, content.length / 2));
  }
  for (const name of ['damaged-cache', 'warm-cache']) {
    const { status, stderr } = script('train/expert.ts', flagsOf(runs(name), 'text'));
    assert.is(status, 0, stderr);
    assert.ok(bytes(join(runs(name), 'text'), 'best.safetensors') === bytes(whole, 'best.safetensors'), name);
  }
});

test('a checkpoint of another configuration or data set is refused in one line', () => {
  const run = runs('fresh');
  const before = bytes(join(run, 'text'), 'last.safetensors');
  const other = script('train/expert.ts', [...flagsOf(run, 'text'), '--resume', '--hidden', '16']);
  assert.is(other.status, 1);
  assert.match(
    complaint(other.stderr),
    /last\.safetensors: belongs to a run with hidden 32, this one has 16$/,
  );
  assert.is(bytes(join(run, 'text'), 'last.safetensors'), before);
  const cut = runs('cut');
  script('train/expert.ts', [...flagsOf(cut, 'text'), '--epochs', '1']);
  const last = join(cut, 'text', 'last.safetensors');
  writeFileSync(last, readFileSync(last).subarray(0, 5000));
  const damaged = script('train/expert.ts', [...flagsOf(cut, 'text'), '--epochs', '1', '--resume']);
  assert.is(damaged.status, 1);
  assert.match(complaint(damaged.stderr), /^[^\n]*last\.safetensors: [^\n]*$/);
});

test.after(() => removeToy(toy));

test.run();
