// all-MiniLM-L6-v2 itself, where it was downloaded (`dsmip download all-minilm-l6-v2`): what it says of twenty pairs of
// sentences, held against transformers. The weights are not in the repository; without them the test is skipped.

import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadWordPiece } from '../../../data/text/wordpiece/wordpiece-files.ts';
import { packageRoot } from '../../../files/package-path.ts';
import { loadBert } from '../../../model/bert/load-bert.ts';
import { sentenceVectors } from '../../../model/bert/sentence-vectors.ts';
import { device } from '../../support/device.ts';

const folder = join(packageRoot(), 'weights', 'all-minilm-l6-v2');
const isThere = fs.existsSync(join(folder, 'model.safetensors'));
if (!isThere) console.log(`skipped: ${folder} is not there`);
const fixture = new URL('minilm-similarities.json', import.meta.url);

(isThere ? test : test.skip)('similarities of twenty pairs are those of transformers', async () => {
  const { pairs, maxLength } = JSON.parse(fs.readFileSync(fixture, 'utf8')) as {
    pairs: { first: string; second: string; similarity: number }[];
    maxLength: number;
  };
  assert.is(pairs.length, 20);
  const [{ module }, tokenizer] = [await loadBert(device, folder), await loadWordPiece(folder)];
  const texts = pairs.flatMap(({ first, second }) => [first, second]);
  const vectors: Float32Array[] = [];
  for await (const { places, rows } of sentenceVectors(module, tokenizer, texts, maxLength)) {
    for (const [i, place] of places.entries()) vectors[place] = rows.subarray(i * 384, (i + 1) * 384);
  }
  for (const [i, { first, second, similarity }] of pairs.entries()) {
    const [a, b] = [vectors[2 * i]!, vectors[2 * i + 1]!];
    const found = a.reduce((sum, x, k) => sum + x * b[k]!, 0);
    assert.ok(Math.abs(found - similarity) < 1e-5, `${first} | ${second}: ${found}, expected ${similarity}`);
  }
});

test.run();
