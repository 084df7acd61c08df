// The command `compare`: killed at any time it goes on to the same figures; what it prints; wrong flags.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, dsmip, killThrice, makeToy, removeToy } from '../support/toy-run.ts';

const toy = await makeToy();
const small = ['--systems', 'clip-zero-shot,clip-head', '--seeds', '1,2', '--epochs', '3', '--split', 'dev'];
const compare = (run: string) => ['compare', ...toy.flags, '--run', join(toy.folder, run), ...small];
const isMeasured = (name: string) => ['costs', 'seconds', 'peakBytes', 'checksum'].includes(name);
const figures = (run: string) =>
  JSON.parse(readFileSync(join(toy.folder, run, 'compare.json'), 'utf8'), (name, value) =>
    isMeasured(name) ? null : value,
  );

test('killed three times it goes on to the figures of one that was not', async () => {
  const { status, stdout, stderr } = dsmip(...compare('whole'));
  assert.is(status, 0, stderr);
  assert.match(
    stdout,
    /== CLIP, zero-shot\n.*== CLIP, trained head, seed 1\n.*== CLIP, trained head, seed 2\n/s,
  );
  assert.match(stdout, /^toy, dev: 8 mentions against 16 entities$/m);
  assert.match(stdout, /^CLIP, trained head( +\d+\.\d\d ± \d+\.\d\d){7}$/m);
  assert.match(stdout, /wrote .*compare\.json; open .*compare\.html$/m);

  const delays = await killThrice(compare('killed'), 2500, []);
  const last = dsmip(...compare('killed'));
  assert.is(last.status, 0, `${delays}: ${last.stderr}`);
  assert.equal(figures('killed'), figures('whole'), `killed after ${delays} ms`);
  const again = dsmip(...compare('killed'));
  assert.match(
    again.stdout,
    /CLIP, zero-shot: finished before\nCLIP, trained head, seed 1: finished before\n/,
  );
});

test('wrong flags are one line', () => {
  for (const flags of [
    ['--systems', 'clip,bart'],
    ['--systems', 'clip,clip'],
    ['--seeds', '1,1'],
    ['--train-fraction', '0'],
    ['--split', 'train'],
  ]) {
    const { status, stderr } = dsmip('compare', ...toy.flags, ...flags);
    assert.is(status, 1);
    assert.match(complaint(stderr), /^--[a-z-]+: expected [^\n]*$/, `${flags}`);
  }
});

test.after(() => removeToy(toy));

test.run();
