// Losses are taken in one step late, in order, and a bad one is named by its own step.

import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../train/config/check.ts';
import { LossLog } from '../../train/loss-log.ts';
import { MetricsLog } from '../../train/metrics-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-loss-'));
test.after(() => rmSync(folder, { recursive: true }));

async function open(name: string) {
  const path = join(folder, name);
  const log = new LossLog(await MetricsLog.open(path, 0), () => {});
  const lines = () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { checksum: _, seconds, ...others } = JSON.parse(line);
        assert.ok(seconds >= 0);
        return others;
      });
  return { log, lines };
}

async function refusal(run: () => Promise<void>): Promise<Error> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected a refusal');
}

test('a step is written down when the next one has been recorded, the last one in the end', async () => {
  const { log, lines } = await open('order');
  let give: (loss: number) => void = () => {};
  const first = new Promise<number>((resolve) => {
    give = resolve;
  });
  await log.add({ step: 1, epoch: 1, lr: 0.5 }, 4, first);
  assert.equal(lines(), []);
  const second = log.add({ step: 2, epoch: 1, lr: 0.25 }, 4, Promise.resolve(2));
  give(3);
  await second;
  assert.equal(lines(), [{ step: 1, epoch: 1, loss: 3, lr: 0.5 }]);
  await log.settle();
  await log.settle();
  assert.equal(lines().slice(1), [{ step: 2, epoch: 1, loss: 2, lr: 0.25 }]);
});

test('a loss that is not finite is refused with its step, and no line has it', async () => {
  const { log, lines } = await open('refused');
  await log.add({ step: 7, epoch: 2 }, 1, Promise.resolve(Number.NaN));
  const error = await refusal(() => log.add({ step: 8, epoch: 2 }, 1, Promise.resolve(1)));
  assert.instance(error, ConfigError);
  assert.match(error.message, /^the loss of step 7 is NaN; try a lower training\.learningRate$/);
  assert.equal(lines(), []);
});

test('a reading that fails after another one is no unhandled rejection', async () => {
  const { log } = await open('lost');
  await log.add({ step: 1, epoch: 1 }, 1, Promise.reject(new Error('device lost')));
  const later = Promise.reject(new Error('device lost, too'));
  const error = await refusal(() => log.add({ step: 2, epoch: 1 }, 1, later));
  assert.is(error.message, 'device lost');
  await new Promise((resolve) => setTimeout(resolve, 0));
});

test('a log is gone on with behind a step; what a kill left of opening it is not seen', async () => {
  const path = join(folder, 'resumed');
  const first = await MetricsLog.open(path, 0);
  for (const step of [1, 2, 3]) first.add({ step });
  first.sync();
  const steps = () => {
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    return lines.map((line) => (JSON.parse(line) as { step: number }).step);
  };
  appendFileSync(path, '{"step": 4, "lo');
  // A process that is gone was writing the kept lines.
  const gone = spawnSync(process.execPath, ['--version']).pid;
  writeFileSync(`${path}.${gone}-0.tmp`, '{"step"');
  const again = await MetricsLog.open(path, 2);
  assert.equal(steps(), [1, 2]);
  again.add({ step: 3 });
  assert.equal(steps(), [1, 2, 3]);
  assert.equal(
    readdirSync(folder).filter((name) => name.startsWith('resumed.')),
    [],
  );
});

test.run();
