// Pairs of made-up texts and images of noise in files, and the shape of a small CLIP, for the baselines that train one.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jpeg from 'jpeg-js';
import { PixelSource } from '../../../data/images/pixel-source.ts';
import { clipPreprocessing } from '../../../data/images/preprocess.ts';
import type { Samples } from '../../../encoding/samples.ts';
import { generator } from '../random.ts';

export const config = {
  text: { width: 16, hidden: 32, heads: 2, layers: 2, vocabulary: 40, maxLength: 12 },
  vision: { width: 24, hidden: 48, heads: 2, layers: 1, imageSize: 16, patchSize: 8 },
  projection: 12,
};
/** Pairs. */
export const n = 32;
export const rows = Array.from({ length: n }, (_, i) => i);

/** Where the images are; to be removed after the tests. */
export const folder = mkdtempSync(join(tmpdir(), 'dsmip-noise-pairs-'));
/** Number 0 is no image; the others are noise of 16 x 16. */
const files: (string | null)[] = [null];
const noise = generator(3);
for (let i = 1; i <= 2 * n; i++) {
  const data = Uint8Array.from({ length: 4 * 256 }, () => Math.floor(256 * noise()));
  files.push(join(folder, `${i}.jpg`));
  writeFileSync(files[i]!, jpeg.encode({ width: 16, height: 16, data }, 95).data);
}
export const source = new PixelSource(files, clipPreprocessing(16));
export const features = { source, files, cache: '', clipHash: '' };

/** Texts of 3 to 11 random tokens; sample i has image `first` + i, sample 5 none. */
function samplesOf(seed: number, first: number): Samples {
  const next = generator(seed);
  const length = 12;
  const lengths = Int32Array.from({ length: n }, () => 3 + Math.floor(9 * next()));
  const mask = Int32Array.from({ length: n * length }, (_, i) =>
    i % length < lengths[Math.floor(i / length)]! ? 1 : 0,
  );
  const ids = mask.map((real) => (real ? Math.floor(39 * next()) : 39));
  const images = Array.from({ length: n }, (_, i) => (i === 5 ? [] : [first + i]));
  const texts = Array.from({ length: n }, (_, i) => ({ name: `${i}`, context: '' }));
  return { texts, tokens: { ids, mask, lengths, count: n, length }, images };
}
export const samples = { mention: samplesOf(1, 1), entity: samplesOf(2, n + 1) };
