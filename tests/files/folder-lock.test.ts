// One writer a folder: a second one is refused, the lock of a process that is gone is not in the way.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lockFolder } from '../../files/folder-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-lock-'));
const refused = (work: Promise<unknown>) =>
  work.then(
    () => '',
    (error: Error) => error.message,
  );

test('the second is told who writes, and may once the first is done', async () => {
  const unlock = await lockFolder(folder);
  assert.match(await refused(lockFolder(folder)), new RegExp(`process ${process.pid} is writing there`));
  await unlock();
  await (await lockFolder(folder))();
  assert.equal(readdirSync(folder), []);
});

test('a lock is stale whose process is gone, whose id another has now, or that a kill cut off', async () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  const stale = [JSON.stringify({ pid, started: '1' }), '{"pid": 1', ''];
  if (process.platform === 'linux') stale.push(JSON.stringify({ pid: process.ppid, started: '1' }));
  for (const text of stale) {
    writeFileSync(join(folder, 'lock'), text);
    const unlock = await lockFolder(folder);
    assert.match(await refused(lockFolder(folder)), /is writing there/);
    await unlock();
  }
  assert.equal(readdirSync(folder), []);
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();
