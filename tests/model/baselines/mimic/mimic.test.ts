// What MIMIC must keep beside the reference's numbers (baseline case mimic): scores from vectors rank as the units do, nothing of
// a batch or a knowledge base but a pair's own two sides counts, it learns, each unit by itself, and both sides encoded at once
// are what they are one after the other.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { imageRows, textRows } from '../../../../encoding/features.ts';
import { firstImages, pickSamples } from '../../../../encoding/samples.ts';
import { noGrad } from '../../../../engine/autograd.ts';
import { EngineError } from '../../../../engine/errors.ts';
import { Random } from '../../../../engine/random.ts';
import { trainedTensors } from '../../../../model/baselines/baseline.ts';
import { Mimic, type MimicFeatures } from '../../../../model/baselines/mimic/mimic.ts';
import { buildBaseline } from '../../../../model/baselines/registry.ts';
import { Clip } from '../../../../model/clip/clip.ts';
import type { SideTables } from '../../../../model/dsmip/expert-model.ts';
import { initialise } from '../../../../model/initialise.ts';
import { buildIndex } from '../../../../ranking/index/builder.ts';
import { openIndex } from '../../../../ranking/index/source.ts';
import type { Side } from '../../../../ranking/scorer.ts';
import { rankMentions } from '../../../../ranking/scoring-pass.ts';
import {
  type EntitySource,
  preparedEntities,
  preparedMentions,
  prepareSamples,
} from '../../../../ranking/sources.ts';
import { hits, learn, noEncoders, scoresOf } from '../../../support/baseline.ts';
import { config, features, folder, n, rows, samples } from '../../../support/baselines/noise-pairs.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

test.after(() => rmSync(folder, { recursive: true }));

function mimicOf(hidden = 8): Mimic {
  const fresh = initialise(device, new Random(4), (p) => new Clip(p, config));
  const clip = { ...fresh, config };
  return new Mimic('mimic', { device, random: new Random(5) }, clip, { hidden, unitRate: 1 });
}

/** Random features of so many samples, as `prepare` gives them, with texts of different lengths. */
function tablesOf(count: number, seed: number): SideTables {
  const lengths = Array.from({ length: count }, (_, i) => 1 + ((5 * i) % 11));
  const offsets = Int32Array.from([0, ...lengths]);
  for (let i = 0; i < count; i++) offsets[i + 1]! += offsets[i]!;
  const { text, vision, projection } = config;
  const tokens = 5;
  return {
    text: {
      tokens: normal(offsets[count]! * text.width, seed),
      embeds: normal(count * projection, seed + 1),
      offsets,
      width: text.width,
      projection,
    },
    image: {
      tokens: normal(count * tokens * vision.width, seed + 2),
      embeds: normal(count * projection, seed + 3),
      offsets: Int32Array.from({ length: count + 1 }, (_, i) => tokens * i),
      width: vision.width,
      projection,
    },
    imageRow: new Map(Array.from({ length: count }, (_, i) => [i, i])),
  };
}

/** The same as sides that gradients would flow into. */
function encodedOf({ text, image }: SideTables, all: readonly number[]): MimicFeatures {
  const images = imageRows(device, image!, all);
  return { ...textRows(device, text!, all), imageTokens: images.tokens, imageEmbeds: images.embeds };
}

/** Each row's rank of `gold`, ties counted as better. */
const ranksOf = (scores: Float32Array, gold: Int32Array, E: number) =>
  Array.from(gold, (own, m) => {
    const score = scores[m * E + own]!;
    return 1 + rangeOf(E).filter((e) => e !== own && scores[m * E + e]! >= score).length;
  });
const rangeOf = (count: number) => Array.from({ length: count }, (_, i) => i);

test('factored = direct: ranks of 200 x 500 pairs from vectors are those of the units', async () => {
  const [M, E] = [200, 500];
  const mimic = mimicOf();
  const [mention, entity] = [tablesOf(M, 10), tablesOf(E, 20)];
  const [m, e] = [rangeOf(M), rangeOf(E)];
  const [factored, direct] = await Promise.all(
    device.scope(() =>
      noGrad(() =>
        [
          mimic.scores(
            mimic.mentionSide({ inputs: mention, rows: m, images: m }),
            mimic.entitySide({ inputs: entity, rows: e, images: e }),
          ),
          mimic.scores(encodedOf(mention, m), encodedOf(entity, e)),
        ].map((x) => device.read<'f32'>(x)),
      ),
    ),
  );
  assertClose(factored!, direct!, 1e-4, 'scores');
  const gold = Int32Array.from(m, (row) => (7 * row) % E);
  assert.equal(ranksOf(factored!, gold, E), ranksOf(direct!, gold, E));
});

test('padding, the order of a batch and that of the knowledge base change nothing', async () => {
  const mimic = mimicOf();
  const straight = await scoresOf(mimic, samples, features);
  const order = rows.toReversed();
  const turned = {
    mention: pickSamples(samples.mention, order),
    entity: pickSamples(samples.entity, order),
  };
  const back = await scoresOf(mimic, turned, features);
  assertClose(Float32Array.from(back.toReversed()), straight, 1e-5, 'scores');
  // Alone, a short text is padded to its own length.
  const alone = await scoresOf(
    mimic,
    { mention: pickSamples(samples.mention, [7]), entity: samples.entity },
    features,
  );
  assertClose(alone, straight.subarray(7 * n, 8 * n), 1e-5, 'alone');

  const gold = Int32Array.from(rows, (row) => (row * 7) % n);
  const ranksAmong = async (order: readonly number[]) => {
    const mentions = await prepareSamples([mimic], 'mention', samples.mention, features);
    const entities = await prepareSamples([mimic], 'entity', pickSamples(samples.entity, order), features);
    const { systems } = await rankMentions({
      systems: [mimic],
      mentions: preparedMentions(mentions),
      entities: preparedEntities(entities),
      gold: gold.map((row) => order.indexOf(row)),
    });
    return systems['mimic']!.ranks;
  };
  assert.equal(await ranksAmong(order), await ranksAmong(rows));
});

test('ranks from an index of halves are those of the scores, but for neighbours', async () => {
  const mimic = mimicOf();
  const scores = await scoresOf(mimic, samples, features);
  const gold = Int32Array.from(rows, (row) => (row * 7) % n);
  const mentions = preparedMentions(await prepareSamples([mimic], 'mention', samples.mention, features));
  const index = join(folder, 'index');
  const fingerprints = { model: 'a' };
  await buildIndex({
    scorer: mimic,
    entities: () => rows,
    count: n,
    stamp: async (part) => `${part}`,
    encode: (part) => ({ samples: pickSamples(samples.entity, part), features }),
    folder: index,
    dtype: 'float16',
    shard: 20,
    fingerprints,
  });
  const opened: EntitySource & { close(): Promise<void> } = await openIndex(index, mimic, fingerprints);
  const { systems } = await rankMentions({ systems: [mimic], mentions, entities: opened, gold });
  await opened.close();
  const expected = ranksOf(scores, gold, n);
  assert.ok(systems['mimic']!.ranks.every((rank, m) => Math.abs(rank - expected[m]!) <= 1));
});

test('it learns 32 pairs by heart, each unit by itself', async () => {
  const mimic = mimicOf();
  const trained = trainedTensors(mimic);
  assert.not.ok(trained.has('logit_scale'));
  assert.ok(mimic.groups.decayed.has('cross_modal_unit.image.weight'));
  assert.ok(mimic.groups.others.has('text_model.final_layer_norm.bias'));
  assert.ok(hits(await scoresOf(mimic, samples, features)) < 50);
  await learn(mimic, samples, features, { lr: 2e-3, most: 400 });
  assert.is(hits(await scoresOf(mimic, samples, features)), 100);

  const tables: Record<Side, SideTables> = {
    mention: await mimic.prepare('mention', samples.mention, firstImages(samples.mention).distinct, features),
    entity: await mimic.prepare('entity', samples.entity, firstImages(samples.entity).distinct, features),
  };
  const units = device.scope(() =>
    noGrad(() => {
      const [m, e] = (['mention', 'entity'] as const).map((side) => {
        const { text, image, imageRow } = tables[side];
        const pictures = imageRows(
          device,
          image!,
          firstImages(samples[side]).each.map((number) => imageRow.get(number)!),
        );
        return {
          ...textRows(device, text!, rows),
          imageTokens: pictures.tokens,
          imageEmbeds: pictures.embeds,
        };
      }) as [MimicFeatures, MimicFeatures];
      return mimic.unitScores(m, e).map((x) => device.read<'f32'>(x));
    }),
  );
  const found = await Promise.all(units);
  assert.is(found.length, 3);
  for (const [i, unit] of found.entries()) assert.ok(hits(unit) > 90, `unit ${i}: ${hits(unit)}`);
});

test('a side while training and one from features do not mix', async () => {
  const mimic = mimicOf();
  const inputs = tablesOf(3, 1);
  const all = rangeOf(3);
  device.scope(() => {
    const [m, e] = noGrad(() => [
      mimic.mentionSide({ inputs, rows: all, images: all }),
      mimic.entitySide({ inputs, rows: all, images: all }),
    ]);
    assert.throws(
      () => mimic.scores(encodedOf(inputs, all), e!),
      (error: unknown) => error instanceof EngineError,
    );
    assert.throws(
      () => mimic.scores(m!, encodedOf(inputs, all)),
      (error: unknown) => error instanceof EngineError,
    );
  });
});

test('the registry builds it, and says what is no configuration of it', async () => {
  const own = {
    ...noEncoders,
    clip: async () => ({ ...initialise(device, new Random(4), (p) => new Clip(p, config)), config }),
  };
  const parts = { device, clip: await own.clip(), own, random: new Random(5) };
  const usual = await buildBaseline('mimic', parts);
  assert.is(usual.layout['queries']!.columns, 96);
  const rated = await buildBaseline('mimic', parts, 'p.json', { hidden: 6, unitRate: 5 });
  const unit = rated.groups.decayed.get('text_unit.key.weight')!;
  const tower = rated.groups.decayed.get('text_projection.weight')!;
  assert.equal(
    [unit.shape[0], rated.groups.rates!.get(unit), rated.groups.rates!.get(tower)],
    [6, 5, undefined],
  );
  for (const fields of [{ hidden: 0 }, { hidden: 1.5 }, { unitRate: 0 }, { loss: 'hinge' }]) {
    let message = '';
    await buildBaseline('mimic', parts, 'p.json', fields).catch((error: Error) => {
      message = error.message;
    });
    assert.match(message, /^p\.json: /);
  }
});

test.run();
