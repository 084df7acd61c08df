// Cycles: every item as often as any other.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Cycle, RandomStream } from '../../train/random-stream.ts';

test('a cycle gives every item equally often, different ones in one call, and no more than asked for', () => {
  const items = Array.from({ length: 10 }, (_, i) => i);
  const cycle = new Cycle(items, new RandomStream(5));
  const seen = new Array<number>(10).fill(0);
  for (let call = 0; call < 30; call++) {
    const taken = cycle.fill(4, () => 1);
    assert.is(new Set(taken).size, 4);
    for (const item of taken) seen[item]!++;
  }
  assert.ok(Math.max(...seen) - Math.min(...seen) <= 2, `${seen}`);
  const heavy = cycle.fill(7, () => 3);
  assert.is(heavy.length, 2);
  assert.is(cycle.fill(20, () => 1).length, 10);
});

test.run();
