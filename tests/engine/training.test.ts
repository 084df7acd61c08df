// A small transformer learns: its batch by heart, with the same bits twice, and a step neither allocates nor leaks.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../engine/device.ts';
import { smallTransformer } from '../support/block.ts';
import { device } from '../support/device.ts';

test('a transformer learns its batch by heart', async () => {
  const { step, weights } = smallTransformer(device);
  const first = await step();
  let last = first;
  for (let i = 0; i < 60; i++) last = await step();
  assert.ok(last < first / 4, `loss ${first} fell to ${last}`);
  for (const weight of weights) weight.release();
});

test('same seed, same adapter: bitwise the same losses over 20 steps, twice', async () => {
  const run = async () => {
    const fresh = await openDevice();
    const { step } = smallTransformer(fresh);
    const losses = [];
    for (let i = 0; i < 20; i++) losses.push(await step());
    fresh.destroy();
    return losses;
  };
  assert.equal(await run(), await run());
});

test('a steady-state step allocates and compiles nothing, and 1,000 steps leak nothing', async () => {
  // A device of its own: what other tests left to the garbage collector would come back in between.
  const fresh = await openDevice();
  const { step } = smallTransformer(fresh);
  for (let i = 0; i < 3; i++) await step();
  const before = { ...fresh.counters };
  for (let i = 0; i < 1000; i++) await step();
  const after = fresh.counters;
  assert.is(after.allocations, before.allocations, 'allocations');
  assert.is(after.pipelines, before.pipelines, 'pipelines');
  assert.is(after.bindGroups, before.bindGroups, 'bind groups');
  assert.is(after.liveBytes, before.liveBytes, 'live bytes');
  assert.is(after.reservedBytes, before.reservedBytes, 'reserved bytes');
  assert.ok(after.dispatches > before.dispatches + 1000);
  fresh.destroy();
});

test.run();
