// GHMFC as a baseline: it reads texts by its BERT and patch tokens of the frozen CLIP, its vectors are those of the
// network on them whatever they are encoded with, and it learns by either loss.

import jpeg from 'jpeg-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PixelSource } from '../../../../data/images/pixel-source.ts';
import { clipPreprocessing } from '../../../../data/images/preprocess.ts';
import { firstImages, pickSamples, type Samples } from '../../../../encoding/samples.ts';
import { noGrad } from '../../../../engine/autograd.ts';
import { slice } from '../../../../engine/ops/shape.ts';
import { Random } from '../../../../engine/random.ts';
import { InputError } from '../../../../files/errors.ts';
import { type BertPart, trainedTensors } from '../../../../model/baselines/baseline.ts';
import { Ghmfc } from '../../../../model/baselines/ghmfc/ghmfc.ts';
import { GhmfcBaseline } from '../../../../model/baselines/ghmfc/ghmfc-baseline.ts';
import { buildBaseline } from '../../../../model/baselines/registry.ts';
import { firstTokens } from '../../../../model/bert/bert.ts';
import { packedBatch } from '../../../../model/bert/packed-texts.ts';
import { Clip } from '../../../../model/clip/clip.ts';
import { initialise } from '../../../../model/initialise.ts';
import { contrastiveLoss, hingeLoss, ntXent } from '../../../../model/loss.ts';
import { ParameterStore } from '../../../../model/parameter-store.ts';
import type { Side } from '../../../../ranking/scorer.ts';
import { rankMentions } from '../../../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, prepareSamples } from '../../../../ranking/sources.ts';
import { baselineGradients } from '../../../../train/baselines/baseline-step.ts';
import { hits, learn, noEncoders, scoresOf } from '../../../support/baseline.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { generator } from '../../../support/random.ts';
import { freshBert, smallTower, textSamples } from '../../../support/text-pairs.ts';

const clipConfig = {
  text: { width: 8, hidden: 16, heads: 1, layers: 1, vocabulary: 40, maxLength: 12 },
  vision: { width: 10, hidden: 20, heads: 2, layers: 2, imageSize: 16, patchSize: 8 },
  projection: 6,
};
const clip = { ...initialise(device, new Random(4), (p) => new Clip(p, clipConfig)), config: clipConfig };
for (const tensor of clip.tensors.values()) tensor.requiresGrad = false;

/** Number 0 is no image; the others are noise of 16 x 16. */
const noise = generator(3);
const files = [
  null,
  ...Array.from({ length: 40 }, () => {
    const data = Uint8Array.from({ length: 4 * 256 }, () => Math.floor(256 * noise()));
    return new Uint8Array(jpeg.encode({ width: 16, height: 16, data }, 95).data);
  }),
];
const features = {
  source: new PixelSource(files, clipPreprocessing(16)),
  files,
  cache: '',
  clipHash: 'small',
};

/** Mentions with images, some with none, and entities. */
const n = 32;
const withImages = (samples: Samples): Samples => ({
  ...samples,
  images: samples.texts.map((_, i) => (i % 8 === 5 ? [] : [1 + (i % 40)])),
});
const pairs = {
  mention: withImages(textSamples(n, 1, true)),
  entity: withImages(textSamples(n, 2, false)),
};

const usual = {
  textLength: 20,
  loss: 'hinge',
  width: 12,
  heads: 2,
  hidden: 20,
  layers: 1,
  dropout: 0,
  bertDropout: 0,
} as const;
type Options = ConstructorParameters<typeof GhmfcBaseline>[3];

function baselineOf(options: Partial<Options> = {}, bert: BertPart = freshBert()): GhmfcBaseline {
  return new GhmfcBaseline('ghmfc', { device, clip, random: new Random(5) }, bert, { ...usual, ...options });
}

async function vectorsOf(baseline: GhmfcBaseline, side: Side, samples: Samples) {
  return (await baseline.prepare(side, samples, firstImages(samples).distinct, features)).vectors;
}

async function allOf(baseline: GhmfcBaseline, side: Side) {
  const { each, distinct } = firstImages(pairs[side]);
  return {
    inputs: await baseline.trainingInputs(side, pairs[side], distinct, features),
    rows: [...each.keys()],
    images: each,
    pixels: null,
  };
}

test("vectors are the network's, of BERT's states and of CLIP's patch tokens before the last norm, without [CLS]", async () => {
  const bert = freshBert();
  const baseline = baselineOf({}, bert);
  const tensors = new ParameterStore(trainedTensors(baseline));
  const network = new Ghmfc(tensors, { ...usual, textWidth: smallTower.width, patchWidth: 10 });
  const { inputs, images } = await allOf(baseline, 'mention');
  const entities = await allOf(baseline, 'entity');
  const decoded = (await features.source.groups([images]).next()).value!;
  const [mention, entity] = await device.scope(() =>
    noGrad(() => {
      const texts = packedBatch(inputs.texts);
      const { tokens } = clip.module.vision.encode(device.tensor([n, 3, 16, 16], decoded));
      const m = network.mention(bert.module.encode(texts), texts.mask, slice(tokens, 1, 1, 4));
      const e = network.entity(firstTokens(bert.module.encode(packedBatch(entities.inputs.texts))));
      return Promise.all([device.read<'f32'>(m.vector), device.read<'f32'>(e)]);
    }),
  );
  assertClose(await vectorsOf(baseline, 'mention', pairs.mention), mention, 1e-4, 'mentions');
  assertClose(await vectorsOf(baseline, 'entity', pairs.entity), entity, 1e-5, 'entities');
});

test('padding and the batch change nothing; an entity is seen without its image, a mention with it', async () => {
  const baseline = baselineOf();
  const D = smallTower.width;
  const others = (samples: Samples) => ({ ...samples, images: samples.images.map(() => [33]) });
  for (const side of ['mention', 'entity'] as const) {
    const all = await vectorsOf(baseline, side, pairs[side]);
    for (const row of [0, 5, 31]) {
      const alone = await vectorsOf(baseline, side, pickSamples(pairs[side], [row]));
      assertClose(alone, all.subarray(row * D, (row + 1) * D), 1e-4, `${side} ${row}`);
    }
    const other = await vectorsOf(baseline, side, others(pairs[side]));
    if (side === 'entity') assert.equal(other, all);
    else assert.not.equal(other, all);
  }
});

test('factored = direct: ranks of 200 x 500 pairs from vectors are those of the cosines in float64', async () => {
  const baseline = baselineOf();
  const sides = {
    mention: withImages(textSamples(200, 3, true)),
    entity: withImages(textSamples(500, 4, false)),
  };
  const gold = Int32Array.from({ length: 200 }, (_, row) => (row * 7) % 500);
  const { systems } = await rankMentions({
    systems: [baseline],
    mentions: preparedMentions(await prepareSamples([baseline], 'mention', sides.mention, features)),
    entities: preparedEntities(await prepareSamples([baseline], 'entity', sides.entity, features)),
    gold,
  });
  const z = await vectorsOf(baseline, 'mention', sides.mention);
  const y = await vectorsOf(baseline, 'entity', sides.entity);
  const D = smallTower.width;
  const cosine = (m: number, e: number) => {
    const [a, b] = [z.subarray(m * D, (m + 1) * D), y.subarray(e * D, (e + 1) * D)];
    return a.reduce((sum, x, i) => sum + x * b[i]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
  };
  for (const [m, rank] of systems['ghmfc']!.ranks.entries()) {
    const own = cosine(m, gold[m]!);
    // What lies within rounding of the answer may stand on either side of it.
    const higher = (by: number) =>
      Array.from({ length: 500 }, (_, e) => e).filter((e) => e !== gold[m] && cosine(m, e) > own + by).length;
    assert.ok(rank >= 1 + higher(1e-6) && rank <= 1 + higher(-1e-6), `mention ${m}: ${rank}`);
  }
});

test('a batch encoded in chunks has the gradients of the whole, the contrast among them', async () => {
  const baseline = baselineOf();
  const batch = {
    mention: await allOf(baseline, 'mention'),
    entity: await allOf(baseline, 'entity'),
    entities: Int32Array.from({ length: n }, (_, i) => i),
  };
  const found = async (chunk: number) => {
    const [names, values] = await device.scope(() => {
      const { loss, gradients } = baselineGradients(baseline, batch, chunk, new Random(1));
      const names = ['loss', ...[...gradients].map(([{ name }]) => name)];
      const read = [loss, ...gradients.values()].map((x) => device.read<'f32'>(x));
      return Promise.all([names, Promise.all(read)] as const);
    });
    return new Map(names.map((name, i) => [name, values[i]!]));
  };
  const [whole, parts] = [await found(0), await found(7)];
  assert.equal([...parts.keys()].sort(), [...whole.keys()].sort());
  for (const [name, gradient] of whole) assertClose(parts.get(name)!, gradient, 2e-3, name, 1e-3);
});

test('the loss is that of the scores and, with weight 1, the contrast of text and image', async () => {
  for (const loss of ['hinge', 'ce'] as const) {
    const baseline = baselineOf({ loss });
    const [mention, entity] = [await allOf(baseline, 'mention'), await allOf(baseline, 'entity')];
    const columns = Int32Array.from({ length: n }, (_, i) => i);
    const batch = { places: columns, random: null };
    const [whole, ofScores, contrast] = await device.scope(() =>
      noGrad(() => {
        const side = baseline.encodeMentions({ ...mention, ...batch });
        const { vector, text, image } = side;
        const entities = baseline.encodeEntities({ ...entity, ...batch });
        const scores = baseline.scores(side, entities);
        const own = loss === 'ce' ? contrastiveLoss(scores, columns) : hingeLoss(scores, columns, 0.5);
        const losses = [baseline.loss(side, entities, columns), own, ntXent(text, image, 0.6)];
        assert.equal(vector.shape, [n, smallTower.width]);
        return Promise.all(losses.map((x) => x.item()));
      }),
    );
    assertClose([whole!], [ofScores! + contrast!], 1e-5, loss);
  }
});

test("BERT learns at a fifth of the others' rate, and biases and norms do not decay", () => {
  const { decayed, others, rates } = baselineOf({ loss: 'ce' }).groups;
  for (const [name, tensor] of [...decayed, ...others]) {
    assert.is(rates!.get(tensor), name.startsWith('bert.') ? 0.2 : undefined, name);
    assert.is(tensor.name, name);
  }
  for (const name of ['bert.embeddings.word_embeddings.weight', 'phrase.conv2.weight', 'output.weight']) {
    assert.ok(decayed.has(name), name);
  }
  for (const name of ['bert.embeddings.LayerNorm.weight', 'phrase.conv2.bias', 'logit_scale']) {
    assert.ok(others.has(name), name);
  }
  assert.not.ok(baselineOf().groups.others.has('logit_scale'));
});

for (const loss of ['hinge', 'ce'] as const) {
  test(`by ${loss} and contrast it learns 32 pairs by heart`, async () => {
    const baseline = baselineOf({ loss, width: 24, dropout: 0.05 });
    assert.ok(hits(await scoresOf(baseline, pairs, features)) < 50);
    // The contrast of as many images as texts does not come near 0.
    await learn(baseline, pairs, features, { lr: 2e-3, most: 100, enough: loss === 'ce' ? 3.3 : 3.6 });
    assert.is(hits(await scoresOf(baseline, pairs, features)), 100);
  });
}

test('dropout is on in training alone, in BERT and in the network', async () => {
  for (const [options, sides] of [
    [{ dropout: 0.5 }, ['mention']],
    [{ bertDropout: 0.5 }, ['mention', 'entity']],
  ] as const) {
    const baseline = baselineOf(options);
    for (const side of ['mention', 'entity'] as const) {
      const all = await allOf(baseline, side);
      const encode = (seed: number | null) =>
        device.scope(() => {
          const random = seed === null ? null : new Random(seed);
          const batch = { ...all, places: Int32Array.from(all.rows), random };
          return device.read<'f32'>(noGrad(() => baseline.encode(side, batch)));
        });
      const plain = await encode(null);
      assert.equal(await encode(1), await encode(1));
      assert.is((await encode(1)).join() !== plain.join(), (sides as readonly string[]).includes(side));
    }
  }
});

test('the registry builds it, and says what does not fit', async () => {
  const own = { ...noEncoders, bert: async () => freshBert() };
  const parts = { device, clip, own, random: new Random(1) };
  const refused = async (options: object) => {
    const error = await buildBaseline('ghmfc', parts, 'options', options).catch((error: Error) => error);
    assert.instance(error, InputError);
    return (error as Error).message;
  };
  assert.match(await refused({}), /^textLength: expected at most 48, which the BERT takes .*, found 64$/);
  assert.match(
    await refused({ textLength: 20, heads: 7 }),
    /^heads: expected a number that divides width, 512, found 7$/,
  );
  assert.match(await refused({ dropout: 1 }), /^options: dropout/);
  assert.is((await buildBaseline('ghmfc', parts, 'options', { textLength: 48, width: 64 })).name, 'ghmfc');
});

test.run();
