// What the world does to stage 1: images that cannot be read, weights that are damaged.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, makeToy, removeToy, script } from '../support/toy-run.ts';

const toy = await makeToy();
const flagsOf = (run: string) => [
  ...['--batch', '8', '--epochs', '1', '--prompt-depth', '1', '--expert', 'visual'],
  ...toy.flags,
  ...['--run', run],
];
const runs = (name: string) => join(toy.folder, name);

test('an image that cannot be read is warned of, counted and stands for a missing one', () => {
  const images = join(toy.data, 'kb_image');
  const [first, second] = readdirSync(images).map((name) => join(images, name)) as [string, string];
  const before = [readFileSync(first), readFileSync(second)] as const;
  writeFileSync(first, 'not a picture');
  writeFileSync(second, before[1].subarray(0, 30));
  const { status, stderr, stdout } = script('train/expert.ts', flagsOf(runs('images')));
  writeFileSync(first, before[0]);
  writeFileSync(second, before[1]);
  assert.is(status, 0, stderr);
  assert.match(stdout, /best epoch 1/);
  assert.match(complaint(stderr), /: 2 image files unreadable, zeros in their place/);
});

test('damaged weights of CLIP are one line, and leave no run behind', () => {
  const path = join(toy.clip, 'model.safetensors');
  const before = readFileSync(path);
  writeFileSync(path, before.subarray(0, before.length - 7));
  const { status, stderr } = script('train/expert.ts', flagsOf(runs('damaged')));
  writeFileSync(path, before);
  assert.is(status, 1);
  assert.match(complaint(stderr), /^[^\n]*model\.safetensors: [^\n]*$/);
  assert.not.ok(existsSync(runs('damaged')));
});

test.after(() => removeToy(toy));

test.run();
