// Stage 1's flags and files: what is wrong with them is one line; and the counts of --print-parameters.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, makeToy, removeToy, script } from '../support/toy-run.ts';

const toy = await makeToy();
const small = ['--batch', '8', '--epochs', '3', '--lr', '0.005', '--prompt-depth', '1'];
const flagsOf = (run: string, expert: string) => [...toy.flags, ...small, '--run', run, '--expert', expert];
const runs = (name: string) => join(toy.folder, name);

test('bad flags and files are one line each, exit code 1, and leave no run behind', () => {
  const train = readFileSync(join(toy.data, 'toy_train.json'), 'utf8');
  const bad: [string, string[], RegExp][] = [
    ['unknown flag', ['--experts', 'text'], /experts/],
    ['unknown expert', ['--expert', 'audio'], /--expert audio: expected one of text, visual, multimodal/],
    ['unknown preset', ['--preset', 'imagenet'], /--preset imagenet: expected one of openconcepts/],
    ['no number', ['--lr', 'fast'], /--lr fast: expected a number/],
    ['no chunk', ['--encode-chunk', 'few'], /--encode-chunk few: expected auto or an integer of at least 0/],
    ['no fraction', ['--train-fraction', '2'], /--train-fraction 2: expected/],
    ['missing data', ['--data', join(toy.folder, 'nowhere')], /nowhere: no such folder/],
    ['missing CLIP', ['--clip', join(toy.folder, 'nowhere')], /nowhere.config\.json: no such file/],
  ];
  for (const [what, flags, message] of bad) {
    const { status, stderr } = script('train/expert.ts', [...flagsOf(runs('bad'), 'text'), ...flags]);
    assert.is(status, 1, what);
    assert.match(complaint(stderr), message, what);
    assert.is(complaint(stderr).split('\n').length, 1, stderr);
  }
  writeFileSync(join(toy.data, 'toy_train.json'), train.slice(0, 300));
  const corrupt = script('train/expert.ts', flagsOf(runs('bad'), 'text'));
  writeFileSync(join(toy.data, 'toy_train.json'), train);
  assert.is(corrupt.status, 1);
  assert.match(complaint(corrupt.stderr), /^[^\n]*toy_train\.json: not valid JSON[^\n]*$/);
  assert.not.ok(existsSync(runs('bad')));
});

test('--print-parameters counts the paper-size experts from the modules', () => {
  const total = (...flags: string[]) =>
    script('train/expert.ts', ['--preset', 'wikimel', '--clip', 'none', '--print-parameters', ...flags])
      .stdout;
  assert.match(total('--expert', 'multimodal'), /trainable parameters\s+7,548,515\n/);
  const finetuned = total('--expert', 'multimodal', '--finetune-encoder');
  assert.match(finetuned, /encoders\s+151,277,313\n/);
  assert.match(finetuned, /scoring\s+438,371\n/);
});

test('--print-memory estimates a paper-size step without weights or data', () => {
  const flags = ['--preset', 'wikimel', '--clip', 'none', '--batch', '4', '--print-memory'];
  const { status, stdout, stderr } = script('train/expert.ts', flags);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^multimodal expert, 4 mentions of up to 77 tokens and 4 entities of up to 77\n/);
  const [whole, single] = [/the whole batch/, / {2}1 texts or images/].map((row) => {
    const line = stdout.split('\n').find((text) => row.test(text));
    return [...line!.matchAll(/([\d.]+) ([MG])B/g)].map(
      ([, size, unit]) => Number(size) / (unit === 'M' ? 1e3 : 1),
    );
  });
  // 14.2 GB of activations at batch 128, by the products' shapes: 12 layers of 12 widths a token and some.
  assert.ok(whole![0]! > 0.4 && whole![0]! < 0.5, `${whole}`);
  assert.ok(whole![1]! > single![1]! && single![1]! > 0.7, `${whole}, ${single}`);
});

test.after(() => removeToy(toy));

test.run();
