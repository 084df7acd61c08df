// Synthetic data sets: readable, the same for the same seed, with texts as long as they should be.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type SyntheticKb, sourceFrom, writeSyntheticKb } from '../../bench/scale/synthetic.ts';
import { entityText, readDataset } from '../../data/dataset.ts';
import { lengthsOf } from '../../data/text/text-lengths.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-synthetic-'));
test.after(() => rmSync(folder, { recursive: true }));
const options: SyntheticKb = { entities: 2500, mentions: 300, imageShare: 0.6, seed: 1 };

test('the reader takes it, and the sizes are as asked', async () => {
  const source = await sourceFrom(folder);
  await writeSyntheticKb(join(folder, 'a'), options, source);
  const { entities, splits, remarks } = await readDataset(join(folder, 'a'));
  assert.is(entities.length, 2500);
  assert.equal(
    Object.values(splits).map((mentions) => mentions.length),
    [210, 30, 60],
  );
  assert.equal(remarks, []);
  const imaged = entities.filter(({ images }) => images.length > 0).length;
  assert.ok(imaged > 1400 && imaged < 1600, `${imaged}`);
});

test('the same seed gives the same bytes, another one others', async () => {
  const source = await sourceFrom(folder);
  await writeSyntheticKb(join(folder, 'b'), options, source);
  await writeSyntheticKb(join(folder, 'c'), { ...options, seed: 2 }, source);
  const bytes = (name: string, file: string) => readFileSync(join(folder, name, file), 'utf8');
  for (const file of ['kb_entity.json', 'SYNTHETIC_test.json']) {
    assert.ok(bytes('a', file) === bytes('b', file));
    assert.not.ok(bytes('a', file) === bytes('c', file));
  }
});

test("texts are about as long as WikiMEL's: 149 characters in the mean, 135 in the median", async () => {
  const { entities } = await readDataset(join(folder, 'a'));
  const { characters } = lengthsOf(entities.map(entityText), null);
  assert.ok(Math.abs(characters.mean - 149) < 20, `${characters.mean}`);
  assert.ok(Math.abs(characters.median - 135) < 20, `${characters.median}`);
  assert.ok(characters.p95 > 220 && characters.p95 < 340, `${characters.p95}`);
});

test.run();
