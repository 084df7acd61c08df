// The tuner measures variants once, remembers the fastest and never changes a result.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../engine/device.ts';
import { scale } from '../../../engine/ops/elementwise.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-tuner-'));
process.env.DSMIP_CACHE = folder;

/** Two candidates, of which `fast` does far less work; records what was measured. */
function candidates(device: Awaited<ReturnType<typeof openDevice>>) {
  const measured: string[] = [];
  const measure = (candidate: string) => {
    measured.push(candidate);
    let x = device.zeros([candidate === 'fast' ? 1 : 4_000_000]);
    for (let i = 0; i < (candidate === 'fast' ? 1 : 4); i++) x = scale(x, 2);
  };
  return { measured, choose: () => device.tuner.choose('class of shapes', ['slow', 'fast'], measure) };
}

test('the first use runs the default, the next wait measures, later uses run the fastest', async () => {
  process.env.DSMIP_TUNE = 'on';
  const device = await openDevice();
  const { measured, choose } = candidates(device);
  assert.is(choose(), 'slow');
  assert.equal(measured, [], 'nothing is measured before the host waits');
  await device.zeros([1]).read();
  assert.is(choose(), 'fast');
  assert.ok(measured.includes('slow') && measured.includes('fast'));
  device.destroy();
});

test('the winner is remembered on disk by adapter, for the next device', async () => {
  const device = await openDevice();
  const { measured, choose } = candidates(device);
  assert.is(choose(), 'fast');
  assert.equal(measured, []);
  device.destroy();
});

test('a damaged memory and a candidate that is no more are measured again', async () => {
  const [file] = readdirSync(folder);
  for (const text of ['{"class of sh', '{"class of shapes": "gone"}', '[]', 'null']) {
    writeFileSync(join(folder, file!), text);
    const device = await openDevice();
    const { choose } = candidates(device);
    assert.is(choose(), 'slow', text);
    await device.zeros([1]).read();
    assert.is(choose(), 'fast', text);
    device.destroy();
  }
  assert.match(readFileSync(join(folder, file!), 'utf8'), /"fast"/);
});

test('DSMIP_TUNE=off gives the defaults and measures nothing', async () => {
  process.env.DSMIP_TUNE = 'off';
  const device = await openDevice();
  const { measured, choose } = candidates(device);
  assert.is(choose(), 'slow');
  await device.zeros([1]).read();
  assert.is(choose(), 'slow');
  assert.equal(measured, []);
  device.destroy();
  rmSync(folder, { recursive: true });
});

test.run();
