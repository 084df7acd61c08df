// What the baseline JMEL must keep beside the reference's numbers (cases/jmel and cases/jmel-static): order and padding change
// nothing, factored is direct, and it learns.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../../../engine/random.ts';
import { InputError } from '../../../../files/errors.ts';
import { Jmel } from '../../../../model/baselines/jmel/jmel.ts';
import { ngramRows } from '../../../../model/baselines/jmel/ngram-rows.ts';
import { buildBaseline } from '../../../../model/baselines/registry.ts';
import { initialise } from '../../../../model/initialise.ts';
import { hits, learn, scoresOf } from '../../../support/baseline.ts';
import {
  checkDropout,
  checkOrderAndPadding,
  checkRanks,
  clipParts,
  features,
  pairs,
} from '../../../support/baselines/clip-pairs.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';

const small = { textWidth: 16, branchWidth: 24, jointWidth: 20, buckets: 64 };
const baselineOf = (options: object = {}) =>
  buildBaseline('jmel', clipParts(), 'options', { ...small, ...options });

test('order and what a text is padded to change nothing', async () => {
  for (const text of ['clip', 'static']) await checkOrderAndPadding(await baselineOf({ text }));
});

test('factored = direct: ranks are those of the cosines', async () => {
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  await checkRanks(await baselineOf(), (m, e) => dot(m, e) / Math.hypot(...m) / Math.hypot(...e));
});

for (const text of ['clip', 'static'])
  for (const loss of ['hinge', 'ce'])
    test(`on ${text} texts it learns 32 pairs by heart by ${loss}`, async () => {
      const baseline = await baselineOf({ text, loss, dropout: 0 });
      assert.is(baseline.groups.others.has('logit_scale'), loss === 'ce');
      assert.is(baseline.groups.decayed.has('mention.embedding.weight'), text === 'static');
      assert.ok(hits(await scoresOf(baseline, pairs, features)) < 50);
      await learn(baseline, pairs, features, { lr: 1e-2, most: 300, enough: loss === 'ce' ? 0.05 : 0.002 });
      assert.is(hits(await scoresOf(baseline, pairs, features)), 100);
    });

test('dropout is on in training alone', async () => {
  await checkDropout(await baselineOf({ dropout: 0.5 }));
});

test('rows of a text: its tokens, then its pairs of neighbours, hashed as by numbers of any size', () => {
  const ids = [0, 49_407, 320, 320, 7];
  for (const buckets of [2, 128, 2 ** 16]) {
    const bits = BigInt(Math.log2(buckets));
    const hashed = ids.slice(1).map((b, i) => {
      const hash = (BigInt(ids[i]!) * 0x9e3779b1n + BigInt(b) * 0x85ebca77n) % 2n ** 32n;
      return 49_408 + Number(hash >> (32n - bits));
    });
    assert.equal([...ngramRows(ids, 49_408, buckets)], [...ids, ...hashed]);
  }
  assert.equal([...ngramRows([3], 9, 2)], [3]);
  assert.equal([...ngramRows([], 9, 2)], []);
});

test('an empty text is the vector 0, beside others too', async () => {
  const config = {
    tokens: { vocabulary: 9, buckets: 4 },
    textWidth: 3,
    imageWidth: 2,
    branchWidth: 4,
    jointWidth: 5,
  };
  const { module, tensors } = initialise(device, new Random(1), (p) => new Jmel(p, config));
  const encode = (texts: number[][]) => {
    const image = device.tensor([texts.length, 2], new Float32Array(2 * texts.length).fill(1));
    return device.scope(() => device.read<'f32'>(module.encode('entity', { text: texts, image })));
  };
  const [alone, beside] = [await encode([[]]), await encode([[1, 2, 3], []])];
  assertClose(beside.subarray(5), alone, 1e-6, 'beside others');
  device.write(tensors.get('entity.embedding.weight')!, new Float32Array(13 * 3).fill(7));
  assert.equal(await encode([[]]), alone);
  assert.not.equal(await encode([[1]]), alone);
});

test('the registry says what is no configuration', async () => {
  for (const [options, message] of [
    [{ text: 'glove' }, /^options: text: expected/],
    [{ buckets: 100 }, /^options: buckets: expected a power of 2/],
    [{ lambda: 1 }, /^options: lambda/],
  ] as const) {
    const error = await baselineOf(options).catch((e: unknown) => e);
    assert.instance(error, InputError);
    assert.match((error as Error).message, message);
  }
});

test.run();
