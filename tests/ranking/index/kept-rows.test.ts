// Rows that are left when others were taken out, against a list that is filtered.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../../engine/random.ts';
import { KeptRows } from '../../../ranking/index/kept-rows.ts';

test('rows and their numbers are those of a list without the others, in whatever order these went', () => {
  const random = new Random(5).words(60);
  const gone = new Set<number>();
  let kept = new KeptRows(40);
  for (let step = 0; step < 60; step++) {
    const rows = Array.from({ length: 40 }, (_, row) => row).filter((row) => !gone.has(row));
    assert.is(kept.count, rows.length);
    assert.equal(
      rows.map((_, i) => kept.rowAt(i)),
      rows,
    );
    for (let row = 0; row < 41; row++) {
      assert.is(kept.numberOf(row), rows.includes(row) ? rows.indexOf(row) : null, `${row}`);
    }
    const next = random[step]! % 40;
    gone.add(next);
    kept = kept.without(next);
  }
  assert.ok(kept.count < 20);
});

test.run();
