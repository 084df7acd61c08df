// Stage 1 from the command line, on toy data: every expert trains and learns, with the paper's choices and ours.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, losses, makeToy, removeToy, script } from '../support/toy-run.ts';

const toy = await makeToy();
const small = ['--batch', '8', '--epochs', '3', '--lr', '0.005', '--prompt-depth', '1'];
const flagsOf = (run: string, expert: string) => [...toy.flags, ...small, '--run', run, '--expert', expert];
const runs = (name: string) => join(toy.folder, name);

for (const expert of ['text', 'visual', 'multimodal']) {
  test(`the ${expert} expert trains, and its loss falls`, () => {
    const run = runs('plain');
    const { status, stderr } = script('train/expert.ts', flagsOf(run, expert));
    assert.is(status, 0, stderr);
    const lines = losses(join(run, expert)) as { loss?: number; dev?: { mrr: number } }[];
    const steps = lines.flatMap(({ loss }) => loss ?? []);
    assert.is(steps.length, 15);
    assert.is(lines.filter(({ dev }) => dev).length, 3);
    const mean = (part: number[]) => part.reduce((a, b) => a + b) / part.length;
    assert.ok(mean(steps.slice(-5)) < mean(steps.slice(0, 5)), `${steps}`);
    assert.ok(existsSync(join(run, expert, 'best.safetensors')));
  });
}

test('hard negatives, a fraction of the mentions, no prompts, a trained encoder', () => {
  for (const flags of [
    ['--expert', 'text', '--hard-negatives', '2', '--train-fraction', '0.5'],
    ['--expert', 'multimodal', '--no-prompts'],
    ['--expert', 'text', '--finetune-encoder'],
  ]) {
    const all = [...flagsOf(runs('flags'), 'text'), ...flags, '--epochs', '1'];
    const { status, stderr, stdout } = script('train/expert.ts', all);
    assert.is(status, 0, `${flags}: ${stderr}`);
    assert.match(stdout, /best epoch 1/);
  }
});

test('a batch encoded in chunks, and one that must be: the chunk is chosen by memory and belongs to the run', () => {
  const flags = [...flagsOf(runs('chunks'), 'multimodal'), '--epochs', '1'];
  const chunked = script('train/expert.ts', [...flags, '--encode-chunk', '3']);
  assert.is(chunked.status, 0, chunked.stderr);
  assert.match(
    chunked.stdout,
    /a step will take up to \S+ MB of device memory, 3 texts or images encoded at a time/,
  );
  assert.match(chunked.stdout, /a step took up to \S+ MB of device memory/);
  const [first] = losses(join(runs('chunks'), 'multimodal')) as { loss: number }[];
  const other = script('train/expert.ts', [...flags, '--encode-chunk', '5', '--resume']);
  assert.is(other.status, 1);
  assert.match(other.stderr, /belongs to a run with encode-chunk 3, this one has 5/);

  const whole = script('train/expert.ts', flags);
  assert.is(whole.status, 0, whole.stderr);
  assert.match(whole.stdout, /the whole batch encoded at once/);
  const [same] = losses(join(runs('chunks'), 'multimodal')) as { loss: number }[];
  assert.ok(Math.abs(first!.loss / same!.loss - 1) < 1e-5, `${first!.loss}, ${same!.loss}`);

  const tight = script('train/expert.ts', [...flags, '--memory', '0.0008']);
  assert.is(tight.status, 1);
  assert.match(
    complaint(tight.stderr),
    /^a step takes \S+ MB of device memory at the least, there are 0.80 MB: expected/,
  );
});

test.after(() => removeToy(toy));

test.run();
