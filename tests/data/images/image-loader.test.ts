// Loading many images in worker threads: order, counts, bad files, leaving early.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LoadOptions } from '../../../data/images/image-loader.ts';
import { addProblems, loadPixels, problemLines } from '../../../data/images/image-loader.ts';
import { clipPreprocessing } from '../../../data/images/preprocess.ts';
import { readPixels } from '../../../data/images/read-pixels.ts';

const how = clipPreprocessing(16);
const imageFolder = fileURLToPath(new URL('../../../data/openconcepts/kb_image', import.meta.url));
const good = readdirSync(imageFolder)
  .slice(0, 50)
  .map((name) => join(imageFolder, name));

async function load(files: (string | null)[], options: LoadOptions) {
  const pixels: number[] = [];
  let problems = { absent: 0, missing: 0, unreadable: 0 };
  let next = 0;
  for await (const chunk of loadPixels(files, how, options)) {
    assert.is(chunk.first, next);
    assert.is(chunk.pixels.length, chunk.count * 3 * 16 * 16);
    next += chunk.count;
    pixels.push(...chunk.pixels);
    problems = addProblems(problems, chunk.problems);
  }
  assert.is(next, files.length);
  return { pixels, problems };
}

test('workers and inline give the same pixels in the order of the files', async () => {
  const expected = [...(await readPixels(good, how)).pixels];
  assert.ok(expected.some((value) => value !== 0));
  for (const workers of [0, 1, 3]) {
    const { pixels } = await load(good, { chunk: 7, workers });
    assert.equal(pixels, expected, `${workers} workers`);
  }
});

test('absent, missing and unreadable images are zeros, counted and told in a line each', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dsmip-images-'));
  try {
    const damaged = join(folder, 'damaged.jpg');
    writeFileSync(damaged, 'no image');
    const files = [good[0]!, null, damaged, join(folder, 'nowhere.jpg'), folder, good[1]!];
    for (const workers of [0, 2]) {
      const { pixels, problems } = await load(files, { chunk: 2, workers });
      assert.equal(problems, { absent: 1, missing: 1, unreadable: 2 });
      const size = 3 * 16 * 16;
      assert.ok(pixels.slice(size, 5 * size).every((value) => value === 0));
      assert.ok(pixels.slice(5 * size).some((value) => value !== 0));
      assert.equal(problemLines(problems, 'mentions'), [
        'mentions: 1 image file missing, zeros in its place',
        'mentions: 2 image files unreadable, zeros in their place',
      ]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('leaving the loop early ends the workers', async () => {
  for await (const chunk of loadPixels([...good, ...good], how, { chunk: 4, workers: 2 })) {
    if (chunk.first >= 8) break;
  }
});

test('an iterator that nobody finishes does not keep the process alive', async () => {
  // The test runner fails a file whose process does not exit by itself.
  const iterator = loadPixels([...good, ...good], how, { chunk: 4, workers: 2 });
  assert.is((await iterator.next()).done, false);
});

test('a worker that fails ends the iteration with its error', async () => {
  const broken = { ...how, mean: null } as unknown as typeof how;
  const files = [null, null, good[0]!, good[1]!];
  // Whatever goes wrong with one image is that image's; only a broken job is the worker's.
  const counted = await load(files, { chunk: 1, workers: 2 });
  assert.is(counted.problems.absent, 2);
  const tooLarge = { ...broken, crop: 1e6 };
  let message = '';
  try {
    for await (const _ of loadPixels(files, tooLarge, { chunk: 1, workers: 2 }));
  } catch (error) {
    message = (error as Error).message;
  }
  assert.match(message, /^image worker: /);
});

test('no files, no chunks', async () => {
  assert.equal((await load([], { workers: 2 })).pixels, []);
});

test.run();
