// Profiles count every dispatch with its work.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { profileTable } from '../../../engine/device/profiler.ts';
import { openDevice } from '../../../engine/device.ts';
import { matmul } from '../../../engine/ops/matmul.ts';

test('a profile counts the calls of each kernel and the work they declare', async () => {
  const device = await openDevice({ profile: true });
  const a = device.zeros([64, 64]);
  for (let i = 0; i < 3; i++) device.scope(() => void matmul(a, a));
  const rows = await device.profile();
  if (!device.gpu.features.has('timestamp-query')) {
    assert.equal(rows, []);
  } else {
    const row = rows.find(({ name }) => name.startsWith('matmul'))!;
    assert.is(row.calls, 3);
    assert.ok(row.ms > 0);
    const flops = row.gflops * row.ms * 1e6;
    assert.ok(Math.abs(flops - 3 * 2 * 64 ** 3) < 1, `${flops} operations`);
    assert.match(profileTable(rows), /matmul.* 3 /);
    assert.equal(await device.profile(), [], 'totals start again');
  }
  device.destroy();
});

test('a device without profiling reports none', async () => {
  const device = await openDevice();
  matmul(device.zeros([2, 2]), device.zeros([2, 2]));
  assert.equal(await device.profile(), []);
  device.destroy();
});

test.run();
