// Stage 1 killed and resumed.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesOf, dsmip, killThrice, losses, makeToy, removeToy, runFolder } from '../support/toy-run.ts';

const toy = await makeToy();
const small = ['--batch', '8', '--lr', '0.005', '--prompt-depth', '1', '--expert', 'multimodal'];
const command = (run: string) => {
  return ['train', 'expert', ...toy.flags, ...small, '--epochs', '8', '--run', runFolder(toy, run)];
};

test('killed at three random moments and resumed, it ends with the same bits', async () => {
  const whole = dsmip(...command('whole'));
  assert.is(whole.status, 0, whole.stderr);
  const delays = await killThrice(command('killed'));
  assert.is.not(delays[0], null, 'the training was over before it could be killed');
  const { status, stderr } = dsmip(...command('killed'), '--resume');
  assert.is(status, 0, stderr);
  const [expected, resumed] = ['whole', 'killed'].map((run) => join(runFolder(toy, run), 'multimodal')) as [
    string,
    string,
  ];
  for (const file of ['last.safetensors', 'best.safetensors']) {
    assert.ok(bytesOf(resumed, file) === bytesOf(expected, file), `${file}, killed after ${delays} ms`);
  }
  assert.equal(losses(resumed), losses(expected));
  assert.equal(readdirSync(resumed).sort(), ['best.safetensors', 'last.safetensors', 'metrics.jsonl']);
  assert.not.ok(existsSync(`${resumed}.new`));
});

test.after(() => removeToy(toy));

test.run();
