// What the baseline BERT must keep beside the reference's numbers (cases/bert-biencoder): order, padding and swapped sides change
// nothing, factored is direct, and it learns.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Samples } from '../../../../encoding/samples.ts';
import { noGrad } from '../../../../engine/autograd.ts';
import { Random } from '../../../../engine/random.ts';
import { InputError } from '../../../../files/errors.ts';
import { BertBaseline } from '../../../../model/baselines/bert/bert-baseline.ts';
import { buildBaseline } from '../../../../model/baselines/registry.ts';
import { rankMentions } from '../../../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, prepareSamples } from '../../../../ranking/sources.ts';
import { hits, learn, noEncoders, scoresOf } from '../../../support/baseline.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { features, freshBert, smallTower, textSamples } from '../../../support/text-pairs.ts';

const n = 32;
const pairs = { mention: textSamples(n, 1, true), entity: textSamples(n, 2, false) };
const usual = { textLength: 20, dropout: 0, loss: 'ce' } as const;
const baselineOf = (options: Partial<ConstructorParameters<typeof BertBaseline>[3]> = {}) =>
  new BertBaseline('bert', { device, random: new Random(5) }, freshBert(), { ...usual, ...options });

const rowsOf = ({ images }: Samples) => images.map((_, row) => row);

async function vectorsOf(baseline: BertBaseline, side: 'mention' | 'entity', samples: Samples) {
  return (await baseline.prepare(side, samples, [0], features)).vectors;
}

test('swapping the sides transposes the scores', async () => {
  const baseline = baselineOf();
  const [straight, swapped] = [
    await scoresOf(baseline, pairs, features),
    await scoresOf(baseline, { mention: pairs.entity, entity: pairs.mention }, features),
  ];
  const transposed = straight.map((_, i) => swapped[(i % n) * n + Math.floor(i / n)]!);
  assertClose(straight, transposed, 1e-5, 'scores');
});

test('order and what a text is padded to change nothing', async () => {
  const baseline = baselineOf();
  const all = await vectorsOf(baseline, 'mention', pairs.mention);
  const D = smallTower.width;
  const alone = (row: number): Samples => ({
    texts: [pairs.mention.texts[row]!],
    tokens: { ...pairs.mention.tokens, lengths: pairs.mention.tokens.lengths.slice(row, row + 1), count: 1 },
    images: [[]],
  });
  for (const row of [0, 7, 31]) {
    const one = await vectorsOf(baseline, 'mention', alone(row));
    assertClose(one, all.subarray(row * D, (row + 1) * D), 1e-5, `mention ${row}`);
  }
});

test('factored = direct: ranks of 200 x 500 pairs from vectors are those of the cosines in float64', async () => {
  const baseline = baselineOf();
  const [mention, entity] = [textSamples(200, 3, true), textSamples(500, 4, false)];
  const gold = Int32Array.from(rowsOf(mention), (row) => (row * 7) % 500);
  const { systems } = await rankMentions({
    systems: [baseline],
    mentions: preparedMentions(await prepareSamples([baseline], 'mention', mention, features)),
    entities: preparedEntities(await prepareSamples([baseline], 'entity', entity, features)),
    gold,
  });
  const [z, y] = [await vectorsOf(baseline, 'mention', mention), await vectorsOf(baseline, 'entity', entity)];
  const D = smallTower.width;
  const cosine = (m: number, e: number) => {
    const [a, b] = [z.subarray(m * D, (m + 1) * D), y.subarray(e * D, (e + 1) * D)];
    return a.reduce((sum, x, i) => sum + x * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
  };
  for (const [m, rank] of systems['bert']!.ranks.entries()) {
    const own = cosine(m, gold[m]!);
    // What lies within rounding of the answer may stand on either side of it.
    const higher = (by: number) =>
      rowsOf(entity).filter((e) => e !== gold[m] && cosine(m, e) > own + by).length;
    assert.ok(rank >= 1 + higher(1e-6) && rank <= 1 + higher(-1e-6), `mention ${m}: ${rank}`);
  }
});

for (const loss of ['ce', 'hinge'] as const)
  test(`by ${loss} it learns 32 pairs by heart`, async () => {
    const baseline = baselineOf({ loss });
    assert.is(baseline.groups.others.has('logit_scale'), loss === 'ce');
    assert.ok(hits(await scoresOf(baseline, pairs, features)) < 50);
    await learn(baseline, pairs, features, { lr: 4e-3, most: 400, enough: loss === 'ce' ? 0.1 : 0.02 });
    assert.is(hits(await scoresOf(baseline, pairs, features)), 100);
  });

test('dropout is on in training alone, and drawn anew from what it is given', async () => {
  const baseline = baselineOf({ dropout: 0.5 });
  const inputs = await baseline.trainingInputs('mention', pairs.mention);
  const rows = rowsOf(pairs.mention);
  const encode = (seed: number | null) =>
    device.scope(() => {
      const random = seed === null ? null : new Random(seed);
      const batch = { inputs, rows, images: rows, pixels: null, places: Int32Array.from(rows), random };
      return device.read<'f32'>(noGrad(() => baseline.encode('mention', batch)));
    });
  assert.equal(await encode(null), await encode(null));
  assert.equal(await encode(1), await encode(1));
  assert.not.equal(await encode(1), await encode(2));
});

test('both sides at once have the vectors of each alone', async () => {
  const baseline = baselineOf();
  const batchOf = async (side: 'mention' | 'entity') => {
    const rows = rowsOf(pairs[side]);
    const inputs = await baseline.trainingInputs(side, pairs[side]);
    return { inputs, rows, images: rows, pixels: null, places: Int32Array.from(rows), random: null };
  };
  const [mentions, entities] = [await batchOf('mention'), await batchOf('entity')];
  const [together, apart] = await device.scope(() =>
    noGrad(() => {
      const { mentions: m, entities: e } = baseline.encodeBoth(mentions, entities);
      const both = [m, e];
      const each = [baseline.encodeMentions(mentions), baseline.encodeEntities(entities)];
      return Promise.all(
        [both, each].map((sides) => Promise.all(sides.map(({ vector }) => device.read<'f32'>(vector)))),
      );
    }),
  );
  for (const side of [0, 1]) assertClose(together![side]!, apart![side]!, 1e-5, `side ${side}`);
});

test('the registry builds it, and says what does not fit', async () => {
  const own = { ...noEncoders, bert: async () => freshBert() };
  const parts = { device, clip: null as never, own, random: new Random(1) };
  const refused = async (options: object) => {
    const error = await buildBaseline('bert', parts, 'options', options).catch((error: Error) => error);
    assert.instance(error, InputError);
    return (error as Error).message;
  };
  assert.match(await refused({}), /^textLength: expected at most 48, which the BERT takes .*, found 64$/);
  assert.match(await refused({ textLength: 2 }), /options.*textLength/);
  assert.match(await refused({ cross: true }), /options.*cross/);
  assert.is((await buildBaseline('bert', parts, 'options', { textLength: 48 })).name, 'bert');
});

test.run();
