// What the baseline ALBEF must keep beside the reference's numbers (cases/albef): order, padding and batches change nothing,
// factored is direct, parts are parts, missing images are black ones, and it learns.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PixelSource } from '../../../../data/images/pixel-source.ts';
import { clipPreprocessing } from '../../../../data/images/preprocess.ts';
import type { Samples } from '../../../../encoding/samples.ts';
import { noGrad } from '../../../../engine/autograd.ts';
import { Random } from '../../../../engine/random.ts';
import { InputError } from '../../../../files/errors.ts';
import { AlbefBaseline } from '../../../../model/baselines/albef/albef-baseline.ts';
import { trainedTensors } from '../../../../model/baselines/baseline.ts';
import { buildBaseline } from '../../../../model/baselines/registry.ts';
import { rankMentions } from '../../../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, prepareSamples } from '../../../../ranking/sources.ts';
import { freshAlbef, pairSamples, towerOfTwo } from '../../../support/albef/albef-pairs.ts';
import { noiseImages } from '../../../support/albef/image-files.ts';
import { hits, learn, noEncoders, scoresOf } from '../../../support/baseline.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';

const n = 32;
const folder = mkdtempSync(join(tmpdir(), 'dsmip-albef-baseline-'));
test.after(() => rmSync(folder, { recursive: true }));
const files = noiseImages(folder, 2 * n, 20);
/** As sessions have it: seen as CLIP sees images, at another size. */
const source = new PixelSource(files, clipPreprocessing(24));
const features = { source, files, cache: '', clipHash: '' };
const pairs = { mention: pairSamples(n, 1, 1, true), entity: pairSamples(n, 2, n + 1, false) };

type Options = ConstructorParameters<typeof AlbefBaseline>[3];
const usual: Options = { parts: 'all', textLength: 20, dropout: 0, loss: 'ce', headRate: 1 };
const baselineOf = (options: Partial<Options> = {}, random = new Random(5)) =>
  new AlbefBaseline('albef', { device, random }, freshAlbef(), { ...usual, ...options });

const rowsOf = ({ images }: Samples) => images.map((_, row) => row);
const imagesOf = ({ images }: Samples) => [...new Set(images.map(([image]) => image ?? 0))];

async function vectorsOf(baseline: AlbefBaseline, side: 'mention' | 'entity', samples: Samples) {
  return (await baseline.prepare(side, samples, imagesOf(samples), features)).vectors;
}

const z = towerOfTwo.projection;

test('a sample has the same vector whatever stands beside it', async () => {
  const baseline = baselineOf();
  const all = await vectorsOf(baseline, 'mention', pairs.mention);
  for (const row of [0, 5, 31]) {
    const alone: Samples = {
      texts: [pairs.mention.texts[row]!],
      tokens: {
        ...pairs.mention.tokens,
        lengths: pairs.mention.tokens.lengths.slice(row, row + 1),
        count: 1,
      },
      images: [pairs.mention.images[row]!],
    };
    const one = await vectorsOf(baseline, 'mention', alone);
    assertClose(one, all.subarray(row * 3 * z, (row + 1) * 3 * z), 1e-5, `mention ${row}`);
  }
});

test('vectors have length 1 in equal thirds; the parts alone are those thirds', async () => {
  const whole = await vectorsOf(baselineOf(), 'entity', pairs.entity);
  const itc = await vectorsOf(baselineOf({ parts: 'itc' }), 'entity', pairs.entity);
  const joint = await vectorsOf(baselineOf({ parts: 'joint' }), 'entity', pairs.entity);
  assert.equal([whole.length, itc.length, joint.length], [n * 3 * z, n * 2 * z, n * z]);
  for (let row = 0; row < n; row++) {
    const third = (part: number) => whole.subarray((3 * row + part) * z, (3 * row + part + 1) * z);
    for (const part of [0, 1, 2]) assert.ok(Math.abs(Math.hypot(...third(part)) - 3 ** -0.5) < 1e-5);
    const grown = (x: Float32Array, from: number) => x.map((value) => value * Math.sqrt(3 / from));
    assertClose(itc.subarray(2 * row * z, (2 * row + 1) * z), grown(third(0), 2), 1e-5, 'text');
    assertClose(itc.subarray((2 * row + 1) * z, (2 * row + 2) * z), grown(third(1), 2), 1e-5, 'image');
    assertClose(joint.subarray(row * z, (row + 1) * z), grown(third(2), 1), 1e-5, 'fused');
  }
});

test('a missing image is a black one, the same for all', async () => {
  const without = (samples: Samples): Samples => ({ ...samples, images: samples.images.map(() => []) });
  const found = await vectorsOf(baselineOf({ parts: 'itc' }), 'entity', without(pairs.entity));
  const image = (row: number) => found.subarray((2 * row + 1) * z, (2 * row + 2) * z);
  for (let row = 1; row < n; row++) assertClose(image(row), image(0), 1e-6, `entity ${row}`);
});

test('factored = direct: ranks of 200 x 500 pairs from vectors are those of the mean of cosines in float64', async () => {
  const baseline = baselineOf();
  const some = (count: number, seed: number, isMention: boolean): Samples => {
    const made = pairSamples(count, seed, 1, isMention);
    return { ...made, images: made.images.map(([image]) => (image ? [1 + (image % (2 * n))] : [])) };
  };
  const [mention, entity] = [some(200, 3, true), some(500, 4, false)];
  const gold = Int32Array.from(rowsOf(mention), (row) => (row * 7) % 500);
  const { systems } = await rankMentions({
    systems: [baseline],
    mentions: preparedMentions(await prepareSamples([baseline], 'mention', mention, features)),
    entities: preparedEntities(await prepareSamples([baseline], 'entity', entity, features)),
    gold,
  });
  const [m3, e3] = [
    await vectorsOf(baseline, 'mention', mention),
    await vectorsOf(baseline, 'entity', entity),
  ];
  const cosines = (m: number, e: number) => {
    let sum = 0;
    for (let part = 0; part < 3; part++) {
      const a = m3.subarray((3 * m + part) * z, (3 * m + part + 1) * z);
      const b = e3.subarray((3 * e + part) * z, (3 * e + part + 1) * z);
      sum += a.reduce((dot, x, i) => dot + x * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
    }
    return sum / 3;
  };
  for (const [m, rank] of systems['albef']!.ranks.entries()) {
    const own = cosines(m, gold[m]!);
    // What lies within rounding of the answer may stand on either side of it.
    const higher = (by: number) =>
      rowsOf(entity).filter((e) => e !== gold[m] && cosines(m, e) > own + by).length;
    assert.ok(rank >= 1 + higher(1e-6) && rank <= 1 + higher(-1e-6), `mention ${m}: ${rank}`);
  }
});

for (const options of [{}, { parts: 'joint' }, { parts: 'itc', loss: 'hinge' }] as const)
  test(`with ${JSON.stringify(options)} it learns 32 pairs by heart, and trains what it uses`, async () => {
    const baseline = baselineOf(options);
    const names = [...trainedTensors(baseline).keys()];
    const has = (part: string) => names.some((name) => name.includes(part));
    const parts = 'parts' in options ? options.parts : 'all';
    assert.equal(
      [has('itm_head'), has('crossattention'), has('fusion_proj'), has('text_proj'), has('logit_scale')],
      [false, parts !== 'itc', parts !== 'itc', parts !== 'joint', !('loss' in options)],
    );
    assert.ok(hits(await scoresOf(baseline, pairs, features)) < 50);
    const enough = 'loss' in options ? 0.02 : 0.1;
    await learn(baseline, pairs, features, { lr: 4e-3, most: 400, enough });
    assert.is(hits(await scoresOf(baseline, pairs, features)), 100);
  });

test('dropout is on in training alone, in the fusion too', async () => {
  const baseline = baselineOf({ dropout: 0.5, parts: 'joint' });
  const inputs = await baseline.trainingInputs('mention', pairs.mention);
  const encode = (seed: number | null) =>
    device.scope(() => {
      const random = seed === null ? null : new Random(seed);
      const pixels = device.zeros([1, 3, 16, 16]);
      const batch = { inputs, rows: [0, 1], images: [0, 0], pixels, places: Int32Array.of(0, 0), random };
      return device.read<'f32'>(noGrad(() => baseline.encode('mention', batch)));
    });
  assert.equal(await encode(null), await encode(null));
  assert.equal(await encode(1), await encode(1));
  assert.not.equal(await encode(1), await encode(2));
});

test('the scale stays within its bounds', async () => {
  const albef = freshAlbef();
  const baseline = new AlbefBaseline('albef', { device, random: new Random(5) }, albef, usual);
  const { logitScale } = albef.module;
  for (const [given, kept] of [
    [0.1, Math.log(2)],
    [3, 3],
    [9, Math.log(1000)],
  ] as const) {
    device.write(logitScale, Float32Array.of(given));
    baseline.afterStep();
    assert.ok(Math.abs((await device.read<'f32'>(logitScale))[0]! - kept) < 1e-5, `${given}`);
  }
});

test('the registry builds it, and says what does not fit', async () => {
  const own = { ...noEncoders, albef: async () => freshAlbef() };
  const parts = { device, clip: null as never, own, random: new Random(1) };
  const refused = async (options: object) => {
    const error = await buildBaseline('albef', parts, 'options', options).catch((error: Error) => error);
    assert.instance(error, InputError);
    return (error as Error).message;
  };
  assert.match(await refused({}), /^textLength: expected at most 48, which the BERT takes .*, found 64$/);
  assert.match(await refused({ parts: 'both' }), /options.*parts/);
  assert.is((await buildBaseline('albef', parts, 'options', { textLength: 48 })).name, 'albef');
});

test.run();
