// Stage 1 killed and resumed.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { killThrice, losses, makeToy, removeToy, script } from '../support/toy-run.ts';

const toy = await makeToy();
const small = ['--batch', '8', '--epochs', '3', '--lr', '0.005', '--prompt-depth', '1'];
const flagsOf = (run: string, expert: string) => [...toy.flags, ...small, '--run', run, '--expert', expert];
const runs = (name: string) => join(toy.folder, name);
const bytes = (run: string, file: string) => readFileSync(join(run, file)).toString('base64');

test('killed at three random moments and resumed, it ends with the same bits', async () => {
  const flags = (run: string) => [...flagsOf(runs(run), 'multimodal'), '--epochs', '8'];
  const whole = script('train/expert.ts', flags('whole'));
  assert.is(whole.status, 0, whole.stderr);
  const delays = await killThrice('train/expert.ts', flags('killed'));
  assert.is.not(delays[0], null, 'the training was over before it could be killed');
  const { status, stderr } = script('train/expert.ts', [...flags('killed'), '--resume']);
  assert.is(status, 0, stderr);
  const [expected, resumed] = ['whole', 'killed'].map((run) => join(runs(run), 'multimodal')) as [
    string,
    string,
  ];
  for (const file of ['last.safetensors', 'best.safetensors']) {
    assert.ok(bytes(resumed, file) === bytes(expected, file), `${file}, killed after ${delays} ms`);
  }
  assert.equal(losses(resumed), losses(expected));
  assert.equal(readdirSync(resumed).sort(), ['best.safetensors', 'last.safetensors', 'metrics.jsonl']);
});

test.after(() => removeToy(toy));

test.run();
