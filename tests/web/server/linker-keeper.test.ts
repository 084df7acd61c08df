// A device that is lost: the server says so, opens another with all changes, and answers what the loss broke.

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Device, openDevice } from '../../../engine/device.ts';
import { buildIndex } from '../../../eval/build-index.ts';
import { openLinker } from '../../../link/linker.ts';
import { checkConfig } from '../../../train/config/check.ts';
import { indexSchema } from '../../../train/config/schemas.ts';
import { defaultLimits } from '../../../web/server/limits.ts';
import { startServer } from '../../../web/server/start-server.ts';
import { makeToy, openToy, removeToy, runFolder, trainToy } from '../../support/toy-run.ts';

const first = await openDevice();
const toy = await makeToy(first);
const run = runFolder(toy, 'run');
const session = await openToy(toy, first);
await trainToy(toy, session, 'run');
const places = { data: { folder: toy.data }, clip: { folder: toy.clip }, run: { folder: run } };
await buildIndex(checkConfig(indexSchema, places), session);
session.close();
first.destroy();

const devices: Device[] = [];
/** What opening another waits for. */
let gate = Promise.resolve();
let failures = 0;
const server = await startServer({
  async open() {
    await gate;
    if (failures > 0) {
      failures--;
      throw new Error('no adapter for the moment');
    }
    const device = await openDevice();
    devices.push(device);
    const index = join(run, 'index');
    const linker = await openLinker({ index, device, writable: true, gatherMs: 200 });
    return { linker, lost: device.gpu.lost, close: () => linker.close().finally(() => device.destroy()) };
  },
  host: '127.0.0.1',
  port: 0,
  token: null,
  site: null,
  limits: defaultLimits,
  defaults: { top: 5, candidates: 0, threshold: 0 },
  version: '0',
});

async function ask(path: string, method = 'GET', value?: object) {
  const body = value === undefined ? {} : { body: JSON.stringify(value) };
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${server.url}${path}`, { method, headers, ...body });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const mention = { word: 'walrus', sentence: 'the animal with fur ran away', top: 20 };
const link = () => ask('/link', 'POST', mention);

test('while another is opened it is not ready and says when to come again; then answers are as before', async () => {
  assert.is((await ask('/entities/N1', 'PUT', { name: 'walrus', description: 'animal fur' })).status, 201);
  const before = await link();
  assert.is(before.body.results[0].entities.length, 17);
  let open = () => {};
  gate = new Promise((resolve) => {
    open = resolve;
  });
  // It is taken in, and its device is lost before it is answered.
  const broken = link();
  await new Promise((resolve) => setTimeout(resolve, 100));
  devices[0]!.destroy();
  for (let i = 0; i < 100 && (await ask('/ready')).status === 200; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal((await ask('/ready')).body, { ready: false, system: null, entities: null });
  assert.is((await ask('/health')).status, 200);
  const refused = await link();
  assert.equal([refused.status, refused.headers.get('retry-after')], [503, '1']);
  assert.is((await ask('/entities/N2', 'PUT', { name: 'x' })).status, 503);
  failures = 1;
  open();
  const answered = await broken;
  assert.is(answered.status, 200);
  assert.equal(answered.body, before.body);
  assert.equal((await ask('/ready')).body, { ready: true, system: 'dsmip', entities: 17 });
  assert.is((await ask('/entities/N1', 'DELETE').catch(() => ({ status: 204 }))).status, 204);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /\ndsmip_device_losses_total 1\n/);
});

test('one that is lost while nobody asks is replaced all the same', async () => {
  devices.at(-1)!.destroy();
  for (let i = 0; i < 500 && devices.length < 3; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  for (let i = 0; i < 500 && (await ask('/ready')).status !== 200; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.is((await link()).status, 200);
});

test.after(async () => {
  await server.stop();
  removeToy(toy);
});

test.run();
