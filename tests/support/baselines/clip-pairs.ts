// Pairs of made-up texts and images, and a small CLIP, for the baselines that stand on its features; and what all of these
// must keep.

import jpeg from 'jpeg-js';
import * as assert from 'uvu/assert';
import { PixelSource } from '../../../data/images/pixel-source.ts';
import { clipPreprocessing } from '../../../data/images/preprocess.ts';
import type { FeatureOptions } from '../../../encoding/features.ts';
import { firstImages, pickSamples, type Samples } from '../../../encoding/samples.ts';
import { noGrad } from '../../../engine/autograd.ts';
import { Random } from '../../../engine/random.ts';
import type { AnyBaseline, BaselineParts } from '../../../model/baselines/baseline.ts';
import { Clip } from '../../../model/clip/clip.ts';
import { initialise } from '../../../model/initialise.ts';
import type { Side } from '../../../ranking/scorer.ts';
import { rankMentions } from '../../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, prepareSamples } from '../../../ranking/sources.ts';
import { noEncoders, type Pairs } from '../baseline.ts';
import { device } from '../device.ts';
import { assertClose } from '../gradient.ts';
import { generator } from '../random.ts';

const config = {
  text: { width: 16, hidden: 32, heads: 2, layers: 1, vocabulary: 40, maxLength: 12 },
  vision: { width: 24, hidden: 48, heads: 2, layers: 1, imageSize: 16, patchSize: 8 },
  projection: 12,
};

const noise = generator(3);
const images = Array.from({ length: 64 }, () => {
  const data = Uint8Array.from({ length: 4 * 256 }, () => Math.floor(256 * noise()));
  return new Uint8Array(jpeg.encode({ width: 16, height: 16, data }, 95).data);
});
/** Number 0 is no image. */
const files = [null, ...images];

/** Features of all samples, kept while they are in use. */
export const features: FeatureOptions = {
  source: new PixelSource(files, clipPreprocessing(16)),
  files,
  cache: '',
  clipHash: '',
};

/** Parts on a CLIP of fresh weights, the same each time. */
export function clipParts(): BaselineParts {
  const fresh = initialise(device, new Random(4), (p) => new Clip(p, config));
  for (const tensor of fresh.tensors.values()) tensor.requiresGrad = false;
  return { device, clip: { ...fresh, config }, own: noEncoders, random: new Random(5) };
}

/** `count` samples of 3 to 12 tokens, BOS and EOS counted, with a name and an image each, but that sample 5 has neither. */
function clipSamples(count: number, seed: number): Samples {
  const next = generator(seed);
  const length = 12;
  const lengths = Int32Array.from({ length: count }, () => 3 + Math.floor(10 * next()));
  const mask = Int32Array.from({ length: count * length }, (_, i) =>
    i % length < lengths[Math.floor(i / length)]! ? 1 : 0,
  );
  const ids = mask.map((real) => (real ? Math.floor(38 * next()) : 39));
  lengths.forEach((real, row) => {
    ids[row * length] = 38;
    ids[row * length + real - 1] = 39;
  });
  const names = Array.from({ length: count }, () => `ä${next().toString(36).slice(2)}`);
  return {
    texts: names.map((name, i) => ({ name: i === 5 ? '' : name, context: '' })),
    tokens: { ids, mask, lengths, count, length },
    images: Array.from({ length: count }, (_, i) => (i === 5 ? [] : [1 + ((i + 32 * seed) % 64)])),
  };
}

export const pairs: Pairs = { mention: clipSamples(32, 1), entity: clipSamples(32, 2) };

/** The vectors that `prepare` gives: [samples, D]. */
export async function vectorsOf(baseline: AnyBaseline, side: Side, samples: Samples): Promise<Float32Array> {
  return (await baseline.prepare(side, samples, firstImages(samples).distinct, features)).vectors;
}

/** Asserts that a sample has the same vector in whatever order, and however it is padded. */
export async function checkOrderAndPadding(baseline: AnyBaseline): Promise<void> {
  const D = baseline.layout['vector']!.columns;
  for (const side of ['mention', 'entity'] as const) {
    const samples = pairs[side];
    const all = await vectorsOf(baseline, side, samples);
    const order = samples.texts.map((_, row) => row).reverse();
    const turned = await vectorsOf(baseline, side, pickSamples(samples, order));
    for (const [i, row] of order.entries()) {
      const [found, expected] = [turned, all].map((x, j) => {
        const at = j === 0 ? i : row;
        return x.subarray(at * D, (at + 1) * D);
      });
      assertClose(found!, expected!, 1e-5, `${side} ${row}`);
    }
    // Alone, a short text is padded to its own length.
    for (const row of [3, 5, 8]) {
      const alone = await vectorsOf(baseline, side, pickSamples(samples, [row]));
      assertClose(alone, all.subarray(row * D, (row + 1) * D), 1e-5, `${side} ${row} alone`);
    }
  }
}

/** Asserts that ranks of 200 x 500 pairs from a scoring pass are those by `score` in float64, of two rows of vectors. */
export async function checkRanks(
  baseline: AnyBaseline,
  score: (m: Float32Array, e: Float32Array) => number,
): Promise<void> {
  const [mention, entity] = [clipSamples(200, 3), clipSamples(500, 4)];
  const gold = Int32Array.from({ length: 200 }, (_, row) => (row * 7) % 500);
  const { systems } = await rankMentions({
    systems: [baseline],
    mentions: preparedMentions(await prepareSamples([baseline], 'mention', mention, features)),
    entities: preparedEntities(await prepareSamples([baseline], 'entity', entity, features)),
    gold,
  });
  const [z, y] = [await vectorsOf(baseline, 'mention', mention), await vectorsOf(baseline, 'entity', entity)];
  const D = baseline.layout['vector']!.columns;
  for (const [m, rank] of systems[baseline.name]!.ranks.entries()) {
    const scores = Array.from({ length: 500 }, (_, e) =>
      score(z.subarray(m * D, (m + 1) * D), y.subarray(e * D, (e + 1) * D)),
    );
    const own = scores[gold[m]!]!;
    // What lies within rounding of the answer may stand on either side of it.
    const higher = (by: number) => scores.filter((s, e) => e !== gold[m] && s > own + by).length;
    assert.ok(rank >= 1 + higher(1e-6) && rank <= 1 + higher(-1e-6), `mention ${m}: ${rank}`);
  }
}

/** Asserts that dropout is on where there is something to draw from, and drawn from that alone. */
export async function checkDropout(baseline: AnyBaseline): Promise<void> {
  const { each, distinct } = firstImages(pairs.mention);
  const inputs = await baseline.trainingInputs('mention', pairs.mention, distinct, features);
  const rows = each.map((_, row) => row);
  const encode = (seed: number | null) =>
    device.scope(() => {
      const random = seed === null ? null : new Random(seed);
      const batch = { inputs, rows, images: each, pixels: null, places: Int32Array.from(rows), random };
      return device.read<'f32'>(noGrad(() => baseline.encodeMentions(batch)).vector);
    });
  assert.equal(await encode(null), await encode(null));
  assert.equal(await encode(1), await encode(1));
  assert.not.equal(await encode(1), await encode(2));
  assert.not.equal(await encode(1), await encode(null));
}
