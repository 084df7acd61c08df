// What the baseline CLIP must keep beside the reference's numbers (cases/clip-baseline): nothing is needed to use it
// zero-shot, its vectors give the scores of the formula, and both of its trainings learn.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pickSamples, pickTexts, type Samples } from '../../../../encoding/samples.ts';
import { packHalves, unpackHalves } from '../../../../engine/ops/storage/half.ts';
import { Random } from '../../../../engine/random.ts';
import type { Tensor } from '../../../../engine/tensor.ts';
import { InputError } from '../../../../files/errors.ts';
import { ClipBaseline, type ClipTraining } from '../../../../model/baselines/clip/clip-baseline.ts';
import { addition, concatenation } from '../../../../model/baselines/clip/fusion.ts';
import { buildBaseline } from '../../../../model/baselines/registry.ts';
import { Clip } from '../../../../model/clip/clip.ts';
import { initialise } from '../../../../model/initialise.ts';
import { buildIndex } from '../../../../ranking/index/builder.ts';
import { openIndex } from '../../../../ranking/index/source.ts';
import { recall, retrieve } from '../../../../ranking/retrieval.ts';
import { rankMentions } from '../../../../ranking/scoring-pass.ts';
import {
  type EntitySource,
  preparedEntities,
  preparedMentions,
  prepareSamples,
  streamedEntities,
} from '../../../../ranking/sources.ts';
import { hits, learn, noEncoders, scoresOf as scoresOfPairs } from '../../../support/baseline.ts';
import {
  config,
  features,
  folder,
  n,
  rows,
  samples,
  source,
} from '../../../support/baselines/noise-pairs.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

test.after(() => rmSync(folder, { recursive: true }));
const imagesOf = (of: Samples) => of.images.map(([image]) => image ?? 0);

function baselineOf(
  training: ClipTraining,
  cross = false,
  missingImages: 'encoded' | 'dropped' = 'encoded',
): ClipBaseline {
  const fresh = initialise(device, new Random(4), (p) => new Clip(p, config));
  const parts = { device, random: new Random(5) };
  return new ClipBaseline(training, 'clip', parts, { ...fresh, config }, { cross, missingImages });
}

const prepared = (baseline: ClipBaseline, side: 'mention' | 'entity', of: Samples = samples[side]) =>
  baseline.prepare(side, of, [...new Set(imagesOf(of))], features);

/** Both sides of all samples, from what `prepare` gives. */
async function sidesOf(baseline: ClipBaseline) {
  const [mention, entity] = [await prepared(baseline, 'mention'), await prepared(baseline, 'entity')];
  const side = (of: 'mention' | 'entity') => ({
    inputs: of === 'mention' ? mention : entity,
    rows,
    images: imagesOf(samples[of]),
  });
  return {
    mentions: () => baseline.mentionSide(side('mention')),
    entities: (rounded?: (x: Tensor) => Tensor) => baseline.entitySide(side('entity'), rounded),
  };
}

/** The same before encoding. */
async function inputOf(of: Samples) {
  const decoded = await source.groups([imagesOf(of)]).next();
  return {
    texts: pickTexts(of.tokens, rows),
    pixels: device.tensor([n, 3, 16, 16], decoded.value!),
    places: Int32Array.from(rows),
  };
}

const scoresOf = (baseline: ClipBaseline) => scoresOfPairs(baseline, samples, features);

test('where a side has no image, and missing ones are dropped, texts alone count', async () => {
  const [encoded, dropped] = [
    await scoresOf(baselineOf('none')),
    await scoresOf(baselineOf('none', false, 'dropped')),
  ];
  const [mention, entity] = [imagesOf(samples.mention), imagesOf(samples.entity)];
  let without = 0;
  for (const m of rows) {
    for (const e of rows) {
      const isMissing = mention[m] === 0 || entity[e] === 0;
      if (isMissing) without++;
      assert.is(encoded[m * n + e] === dropped[m * n + e], !isMissing, `${m} ${e}`);
    }
  }
  assert.is(without, 2 * n - 1);
});

for (const cross of [false, true]) {
  test(`zero-shot${cross ? ' with cross terms' : ''}: CLIP alone gives the scores of the formula`, async () => {
    const baseline = baselineOf('none', cross);
    assert.is(baseline.groups.decayed.size + baseline.groups.others.size, 0);
    const found = await scoresOf(baseline);
    const clip = initialise(device, new Random(4), (p) => new Clip(p, config)).module;
    const embeds = async (of: Samples) => {
      const { texts, pixels } = await inputOf(of);
      const read = (x: Tensor) => device.read<'f32'>(x);
      const reads = device.scope(() => [
        read(clip.text.encode(texts).embeds),
        read(clip.vision.encode(pixels).embeds),
      ]);
      return Promise.all(reads);
    };
    const [tm, vm] = (await embeds(samples.mention)) as [Float32Array, Float32Array];
    const [te, ve] = (await embeds(samples.entity)) as [Float32Array, Float32Array];
    const z = config.projection;
    const dot = (a: Float32Array, i: number, b: Float32Array, j: number) =>
      Array.from({ length: z }, (_, k) => a[i * z + k]! * b[j * z + k]!).reduce((x, y) => x + y);
    const expected = rows.flatMap((m) =>
      rows.map((e) => {
        const own = dot(tm, m, te, e) + dot(vm, m, ve, e);
        const others = cross ? dot(tm, m, ve, e) + dot(vm, m, te, e) : 0;
        return (own + others) / 2 / 0.07;
      }),
    );
    assertClose(found, expected, 1e-5, 'scores');
  });
}

test('factored = direct: ranks of 200 x 500 pairs from vectors are those of the cosines in float64', async () => {
  const [M, E, z] = [200, 500, 24];
  const units = (count: number, seed: number) => {
    const data = normal(count * z, seed);
    for (let i = 0; i < count; i++) {
      const row = data.subarray(i * z, (i + 1) * z);
      const length = Math.hypot(...row);
      for (let k = 0; k < z; k++) row[k]! /= length;
    }
    return data;
  };
  const [tm, vm, te, ve] = [units(M, 1), units(M, 2), units(E, 3), units(E, 4)];
  for (const fusion of [concatenation, addition]) {
    const scores = await device.scope(() => {
      const vector = (side: 'mention' | 'entity', count: number, t: typeof tm, v: typeof tm) => ({
        vector: fusion.vectors(side, device.tensor([count, z], t), device.tensor([count, z], v)),
      });
      const both = baselineOf('none').scores(vector('mention', M, tm, vm), vector('entity', E, te, ve));
      return device.read<'f32'>(both);
    });
    const direct = new Float64Array(M * E);
    for (let m = 0; m < M; m++) {
      for (let e = 0; e < E; e++) {
        for (let k = 0; k < z; k++) {
          const [a, b, c, d] = [tm[m * z + k]!, vm[m * z + k]!, te[e * z + k]!, ve[e * z + k]!];
          direct[m * E + e]! += (fusion === addition ? (a + b) * (c + d) : a * c + b * d) / 2;
        }
      }
    }
    const rank = (all: ArrayLike<number>, m: number) => {
      const own = all[m * E + m]!;
      return Array.from({ length: E }, (_, e) => all[m * E + e]!).filter((s) => s > own).length;
    };
    for (let m = 0; m < M; m++) assert.is(rank(scores, m), rank(direct, m), `mention ${m}`);
  }
});

test('a sample has the same vector however it is padded and in whatever order', async () => {
  const baseline = baselineOf('none');
  const order = rows.toReversed();
  const turned = pickSamples(samples.mention, order);
  const padded = { ...turned, tokens: { ...turned.tokens } };
  const read = async (of: Samples) => {
    const inputs = await prepared(baseline, 'mention', of);
    return device.scope(() =>
      device.read<'f32'>(baseline.mentionSide({ inputs, rows, images: imagesOf(of) }).vector),
    );
  };
  const [straight, back] = [await read(samples.mention), await read(padded)];
  const D = baseline.layout['vector']!.columns;
  for (const [i, row] of order.entries()) {
    const [a, b] = [back.subarray(i * D, (i + 1) * D), straight.subarray(row * D, (row + 1) * D)];
    assertClose(a, b, 1e-5, `mention ${row}`);
  }
  // Alone, a short text is padded to its own length.
  const alone = await prepared(baseline, 'mention', pickSamples(samples.mention, [7]));
  const one = await device.scope(() =>
    device.read<'f32'>(
      baseline.mentionSide({ inputs: alone, rows: [0], images: [imagesOf(samples.mention)[7]!] }).vector,
    ),
  );
  assertClose(one, straight.subarray(7 * D, 8 * D), 1e-5, 'alone');
});

test('ranks from a scoring pass and from an index of halves are those of the scores', async () => {
  const baseline = baselineOf('none');
  const scores = await scoresOf(baseline);
  const gold = Int32Array.from(rows, (row) => (row * 7) % n);
  const expected = rows.map((m) => {
    const own = scores[m * n + gold[m]!]!;
    return 1 + rows.filter((e) => scores[m * n + e]! > own).length;
  });
  const mentions = preparedMentions(await prepareSamples([baseline], 'mention', samples.mention, features));
  const ranksAmong = async (entities: EntitySource) => {
    const { systems } = await rankMentions({ systems: [baseline], mentions, entities, gold });
    return systems['clip']!.ranks;
  };
  const prepared = await prepareSamples([baseline], 'entity', samples.entity, features);
  assert.equal(await ranksAmong(preparedEntities(prepared)), expected);
  assert.equal(await ranksAmong(streamedEntities(samples.entity, features)), expected);

  const index = join(folder, 'index');
  const fingerprints = { model: 'a' };
  await buildIndex({
    scorer: baseline,
    entities: () => rows,
    count: n,
    stamp: async (part) => `${part}`,
    encode: (part) => ({ samples: pickSamples(samples.entity, part), features }),
    folder: index,
    dtype: 'float16',
    shard: 20,
    fingerprints,
  });
  const opened = await openIndex(index, baseline, fingerprints);
  const halves = await ranksAmong(opened);
  // Halves may swap neighbours.
  assert.ok(halves.every((rank, m) => Math.abs(rank - expected[m]!) <= 1));
  const candidates = await retrieve(baseline, mentions, opened, n / 2);
  assert.is(recall(candidates, gold), (100 / n) * halves.filter((rank) => rank <= n / 2).length);
  await opened.close();
});

test('a side comes back from its parts, and halves move scores by a half’s precision', async () => {
  const baseline = baselineOf('none');
  const { mentions, entities } = await sidesOf(baseline);
  const [whole, half] = await device.scope(() => {
    const m = mentions();
    const rounded = entities((x) => unpackHalves(packHalves(x), x.shape));
    const packed = baseline.pack(entities());
    assert.equal(packed.parts['vector']!.shape, [n, baseline.layout['vector']!.columns]);
    const scores = [baseline.unpack(packed), rounded].map((e) => baseline.scores(m, e));
    return Promise.all(scores.map((x) => device.read<'f32'>(x)));
  });
  assert.equal(whole, await scoresOf(baseline));
  assertClose(half!, whole!, 1e-3, 'scores');
  assert.not.equal(half, whole);
});

test('a head learns 32 pairs by heart on frozen towers', async () => {
  const baseline = baselineOf('head');
  assert.equal([...baseline.groups.decayed.keys(), ...baseline.groups.others.keys()].sort(), [
    'entity.bias',
    'entity.weight',
    'logit_scale',
    'mention.bias',
    'mention.weight',
  ]);
  assert.ok(hits(await scoresOf(baseline)) < 50);
  await learn(baseline, samples, features, { lr: 5e-3, most: 400 });
  assert.is(hits(await scoresOf(baseline)), 100);
});

test('fine-tuned, CLIP learns 32 pairs by heart, and is bounded in its scale', async () => {
  const baseline = baselineOf('all');
  assert.ok(
    baseline.groups.others.has('logit_scale') &&
      baseline.groups.others.has('text_model.final_layer_norm.bias'),
  );
  assert.ok(baseline.groups.decayed.has('text_projection.weight'));
  assert.ok(hits(await scoresOf(baseline)) < 50);
  await learn(baseline, samples, features, { lr: 1e-3, most: 400 });
  assert.is(hits(await scoresOf(baseline)), 100);

  const scale = baseline.groups.others.get('logit_scale')!;
  for (const [before, after] of [
    [3, 3],
    [4.7, Math.log(100)],
  ] as const) {
    device.write(scale, Float32Array.of(before));
    baseline.afterStep();
    assert.ok(Math.abs((await scale.item()) - after) < 1e-6);
  }
});

test('by the hinge loss it learns as well, and its scores are cosines', async () => {
  const fresh = initialise(device, new Random(4), (p) => new Clip(p, config));
  const parts = { device, random: new Random(5) };
  const baseline = new ClipBaseline('all', 'clip', parts, { ...fresh, config }, { loss: 'hinge' });
  await learn(baseline, samples, features, { lr: 1e-3, most: 400, enough: 0.01 });
  const scores = await scoresOf(baseline);
  assert.is(hits(scores), 100);
  assert.ok(scores.every((score) => Math.abs(score) < 1.00001));
});

test('the registry builds each system from its configuration, and says what is none', async () => {
  const fresh = () => initialise(device, new Random(4), (p) => new Clip(p, config));
  const own = { ...noEncoders, clip: async () => ({ ...fresh(), config }) };
  const parts = { device, clip: { ...fresh(), config }, own, random: new Random(5) };
  const names = ['clip-zero-shot', 'clip-head', 'clip'];
  for (const name of names) assert.is((await buildBaseline(name, parts)).name, name);
  const columns = async (name: string, fields: unknown) =>
    (await buildBaseline(name, parts, 'my.json', fields)).layout['vector']!.columns;
  assert.is(await columns('clip', {}), 24);
  assert.is(await columns('clip', { cross: true }), 12);
  for (const [name, fields, message] of [
    ['clip', { cross: 1 }, /^my\.json: cross: expected true or false, found 1$/],
    ['clip-head', { cross: true }, /^my\.json: cross: expected no field of this name/],
    [
      'toString',
      {},
      /^my\.json: baseline: expected one of clip-zero-shot, clip-head, clip.*, found toString$/,
    ],
  ] as const) {
    const error = await columns(name, fields).catch((e: unknown) => e);
    assert.instance(error, InputError);
    assert.match((error as Error).message, message);
  }
});

test.run();
