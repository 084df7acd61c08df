// An epoch's batches: every mention once with its own entity, the same for a seed, images from the sample's own.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Samples } from '../../encoding/samples.ts';
import { batchesPerEpoch, epochBatches, fractionOf, holdOut } from '../../train/batches.ts';
import { RandomStream } from '../../train/random-stream.ts';

const none = new Int32Array(0);
const samples = (images: number[][]): Samples => ({
  texts: images.map(() => ({ name: '', context: '' })),
  tokens: { ids: none, mask: none, lengths: none, count: images.length, length: 1 },
  images,
});
const entities = samples([[5, 6, 7], [], [8]]);
const n = 17;
const rows = Array.from({ length: n }, (_, i) => i);
const mentions = samples(rows.map((row) => (row % 2 === 0 ? [] : [100 + row])));
const answers = Int32Array.from(rows, (row) => row % 3);
const epoch = (draws: RandomStream, size = 4) =>
  epochBatches(rows, mentions, answers, entities, { size }, draws);

test('every mention once, with its answer and images of its own; a last single mention is left out', () => {
  const batches = epoch(new RandomStream(1));
  assert.equal(
    batches.map((batch) => batch.mentions.length),
    [4, 4, 4, 4],
  );
  assert.is(batches.length, batchesPerEpoch(n, 4));
  assert.is(new Set(batches.flatMap((batch) => batch.mentions)).size, 16);
  const drawn = new Set<number>();
  for (const batch of batches) {
    batch.mentions.forEach((row, i) => {
      assert.is(batch.entities[i], row % 3);
      assert.is(batch.mentionImages[i], row % 2 === 0 ? 0 : 100 + row);
      const own = entities.images[row % 3]!;
      assert.ok(own.length === 0 ? batch.entityImages[i] === 0 : own.includes(batch.entityImages[i]!));
      drawn.add(batch.entityImages[i]!);
    });
  }
  assert.ok(drawn.has(0) && drawn.has(8) && drawn.size > 3, `${[...drawn]}`);
});

test('the same seed gives the same epochs, another seed another order, the next epoch too', () => {
  const [a, b] = [new RandomStream(7), new RandomStream(7)];
  const first = epoch(a);
  assert.equal(first, epoch(b));
  assert.not.equal(first, epoch(a));
  assert.not.equal(first, epoch(new RandomStream(8)));
});

test("hard negatives follow the batch's own entities", () => {
  const hard = { candidates: rows.map((row) => [(row + 1) % 3, (row + 2) % 3]), count: 1 };
  for (const batch of epochBatches(
    rows,
    mentions,
    answers,
    entities,
    { size: 4, hard },
    new RandomStream(1),
  )) {
    const M = batch.mentions.length;
    assert.is(batch.entities.length, 2 * M);
    assert.is(batch.entityImages.length, 2 * M);
    batch.mentions.forEach((row, i) => {
      assert.is(batch.entities[i], row % 3);
      assert.is.not(batch.entities[M + i], row % 3);
    });
  }
});

test("entities of the mention's name come before other hard negatives, none twice", () => {
  const hard = {
    candidates: rows.map(() => [1, 2, 3, 4]),
    namesakes: rows.map((row) => [[], [4], [5, 6, 7, 8]][row % 3]!),
    count: 3,
  };
  const seen = new Set<number>();
  const many = samples(Array.from({ length: 9 }, () => []));
  for (let epoch = 0; epoch < 8; epoch++) {
    const batches = epochBatches(rows, mentions, answers, many, { size: 4, hard }, new RandomStream(epoch));
    for (const { mentions, entities } of batches) {
      const M = mentions.length;
      assert.is(entities.length, 4 * M);
      mentions.forEach((row, i) => {
        const own = entities.slice(M + 3 * i, M + 3 * i + 3);
        assert.is(new Set(own).size, 3);
        if (row % 3 === 0) assert.ok(own.every((entity) => entity <= 4));
        if (row % 3 === 1) assert.is(own[0], 4);
        if (row % 3 === 2) assert.ok(own.every((entity) => entity >= 5));
        for (const entity of own) seen.add(entity);
      });
    }
  }
  assert.equal([...seen].sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('dropped images are number 0, as often as the side is told, and the rest of an epoch is as for a seed', () => {
  const pictured = samples(rows.map((row) => [100 + row]));
  const all = samples([[5, 6, 7], [4], [8]]);
  const dropped = { mention: 0, entity: 0, all: 0 };
  const options = { size: 4, imageDropout: { mention: 0.4, entity: 0.15 } };
  for (let seed = 0; seed < 40; seed++) {
    const batches = epochBatches(rows, pictured, answers, all, options, new RandomStream(seed));
    assert.equal(batches, epochBatches(rows, pictured, answers, all, options, new RandomStream(seed)));
    for (const { mentions, mentionImages, entities, entityImages } of batches) {
      mentionImages.forEach((image, i) => {
        assert.ok(image === 0 || image === 100 + mentions[i]!);
        if (image === 0) dropped.mention++;
      });
      entityImages.forEach((image, i) => {
        assert.ok(image === 0 || all.images[entities[i]!]!.includes(image));
        if (image === 0) dropped.entity++;
      });
      dropped.all += mentions.length;
    }
  }
  // 640 draws a side: three standard deviations are 0.058 and 0.042.
  assert.ok(Math.abs(dropped.mention / dropped.all - 0.4) < 0.058, `${dropped.mention / dropped.all}`);
  assert.ok(Math.abs(dropped.entity / dropped.all - 0.15) < 0.042, `${dropped.entity / dropped.all}`);
  const none = { size: 4, imageDropout: { mention: 0, entity: 0 } };
  assert.equal(
    epochBatches(rows, pictured, answers, all, none, new RandomStream(1)),
    epochBatches(rows, pictured, answers, all, { size: 4 }, new RandomStream(1)),
  );
});

test('a fraction of the mentions: sorted, distinct, at least one, all for 1', () => {
  const tenth = fractionOf(100, 0.1, new RandomStream(3));
  assert.is(new Set(tenth).size, 10);
  assert.equal(
    tenth,
    [...tenth].sort((a, b) => a - b),
  );
  assert.equal(tenth, fractionOf(100, 0.1, new RandomStream(3)));
  assert.is(fractionOf(5, 0.01, new RandomStream(3)).length, 1);
  assert.equal(fractionOf(3, 1, new RandomStream(3)), [0, 1, 2]);
  assert.throws(() => batchesPerEpoch(1, 32), /expected at least 2/);
});

test('what is held out is not kept, the same whenever asked; nothing for 0', () => {
  const { kept, held } = holdOut(rows, 0.3);
  assert.equal([kept.length, held.length], [12, 5]);
  assert.equal(
    [...kept, ...held].sort((a, b) => a - b),
    rows,
  );
  assert.equal(holdOut(rows, 0.3), { kept, held });
  assert.equal(holdOut(rows, 0), { kept: rows, held: [] });
});

test.run();
