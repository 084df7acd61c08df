// Batches of packed texts: padding, types and places, and that encoding from short to long keeps rows in their order.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, slice } from '../../../engine/ops/shape.ts';
import { encodeByLength, type PackedText, packedBatch } from '../../../model/bert/packed-texts.ts';
import { device } from '../../support/device.ts';

const texts: PackedText[] = [
  { ids: [5, 7, 6], types: [0, 0, 1] },
  { ids: [5, 6] },
  { ids: [5, 8, 9, 6], positions: [0, 1, 7, 8] },
];

test('rows are padded with zeros; types and places are the usual ones where a text has none', () => {
  const { ids, mask, types, positions, count, length } = packedBatch(texts);
  assert.equal([count, length], [3, 4]);
  assert.equal([...ids], [5, 7, 6, 0, 5, 6, 0, 0, 5, 8, 9, 6]);
  assert.equal([...mask], [1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1]);
  assert.equal([...types!], [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal([...positions!], [0, 1, 2, 0, 0, 1, 0, 0, 0, 1, 7, 8]);
  const plain = packedBatch([texts[1]!], 4);
  assert.equal([plain.types, plain.positions, plain.length], [undefined, undefined, 4]);
});

test('each text gets its own row, in batches of similar lengths that leave nobody out', async () => {
  const many: PackedText[] = Array.from({ length: 300 }, (_, i) => ({
    ids: Array.from({ length: 1 + ((i * 7) % 29) }, () => i),
  }));
  const lengths: number[] = [];
  const rows = await device.scope(() =>
    encodeByLength(many, 29, ({ ids, count, length }) => {
      lengths.push(length);
      const all = device.tensor([count, length], Float32Array.from(ids));
      return concat([slice(all, 1, 0, 1), slice(all, 1, 0, 1)], 1);
    }).read(),
  );
  assert.equal(
    [...rows],
    many.flatMap((_, i) => [i, i]),
  );
  assert.ok(lengths.length > 3, `${lengths}`);
  assert.equal(
    lengths,
    [...lengths].sort((a, b) => a - b),
  );
  assert.ok(lengths.slice(0, -1).every((length) => length % 4 === 0));
});

test.run();
