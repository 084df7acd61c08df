// What the baseline DZMNED must keep beside the reference's numbers (cases/dzmned and cases/dzmned-static): order and padding
// change nothing, factored is direct, and it learns.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../../../engine/random.ts';
import { InputError } from '../../../../files/errors.ts';
import { Dzmned } from '../../../../model/baselines/dzmned/dzmned.ts';
import type { DzmnedBaseline } from '../../../../model/baselines/dzmned/dzmned-baseline.ts';
import { nameSymbols } from '../../../../model/baselines/dzmned/name-symbols.ts';
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
  vectorsOf,
} from '../../../support/baselines/clip-pairs.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

const small = {
  tokenWidth: 12,
  wordHidden: 16,
  byteWidth: 8,
  byteHidden: 8,
  modalityWidth: 24,
  jointWidth: 16,
  lexicalWidth: 8,
};
const baselineOf = (options: object = {}) =>
  buildBaseline('dzmned', clipParts(), 'options', { ...small, ...options });

test('order and what a text or a name is padded to change nothing', async () => {
  for (const text of ['clip', 'static']) await checkOrderAndPadding(await baselineOf({ text }));
});

test('factored = direct: ranks are those of (y . y + lambda c . c) / (1 + lambda)', async () => {
  const lambda = 0.5;
  const baseline = await baselineOf({ lambda });
  const vectors = await vectorsOf(baseline, 'mention', pairs.mention);
  const D = small.jointWidth + small.lexicalWidth;
  const parts = (z: Float32Array) => [z.subarray(0, small.jointWidth), z.subarray(small.jointWidth)] as const;
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const cosine = (a: Float32Array, b: Float32Array) => dot(a, b) / Math.hypot(...a) / Math.hypot(...b);
  for (let row = 0; row < 32; row++) {
    const [y, c] = parts(vectors.subarray(row * D, (row + 1) * D));
    assert.ok(
      Math.abs(dot(y, y) - 1 / (1 + lambda)) < 1e-6 && Math.abs(dot(c, c) - lambda / (1 + lambda)) < 1e-6,
    );
  }
  await checkRanks(baseline, (m, e) => {
    const [[ym, cm], [ye, ce]] = [parts(m), parts(e)];
    return (cosine(ym, ye) + lambda * cosine(cm, ce)) / (1 + lambda);
  });
});

for (const text of ['clip', 'static'])
  for (const loss of ['hinge', 'ce'])
    test(`on ${text} texts it learns 32 pairs by heart by ${loss}`, async () => {
      const baseline = await baselineOf({ text, loss, dropout: 0 });
      assert.is(baseline.groups.others.has('logit_scale'), loss === 'ce');
      assert.is(baseline.groups.decayed.has('token_embedding.weight'), text === 'static');
      assert.ok(hits(await scoresOf(baseline, pairs, features)) < 50);
      await learn(baseline, pairs, features, { lr: 1e-2, most: 300, enough: loss === 'ce' ? 0.05 : 0.002 });
      assert.is(hits(await scoresOf(baseline, pairs, features)), 100);
    });

test('dropout is on in training alone', async () => {
  for (const options of [{ dropout: 0.5 }, { dropout: 0, text: 'static', tokenDropout: 0.5 }]) {
    await checkDropout(await baselineOf(options));
  }
});

test('without attention the three modalities count alike, and none counts e times another', async () => {
  const config = { ...small, vocabulary: null, imageWidth: 5, lambda: 1 };
  const { module, tensors } = initialise(device, new Random(1), (p) => new Dzmned(p, config));
  const input = {
    text: {
      tokens: device.tensor([2, 4, 12], normal(96, 1)),
      mask: device.tensor([2, 4], Int32Array.of(1, 1, 1, 1, 1, 0, 0, 0)),
    },
    names: ['one', ''].map(nameSymbols),
    image: device.tensor([2, 5], normal(10, 2)),
  };
  const alpha = () => device.scope(() => module.encode(input).alpha.read());
  const weight = tensors.get('attention.weight')!;
  device.write(weight, new Float32Array(weight.size));
  device.write(tensors.get('attention.bias')!, new Float32Array(3));
  assertClose(await alpha(), new Array(6).fill(1 / 3), 1e-6, 'weights');
  device.write(tensors.get('attention.bias')!, Float32Array.of(50, -50, 0));
  const [most, least] = await alpha();
  assertClose([most! / least!], [Math.E], 1e-5, 'ratio');
});

test('it tells what the modalities of prepared samples counted for, once', async () => {
  const baseline = (await baselineOf()) as DzmnedBaseline;
  assert.equal(baseline.takeRemarks(), []);
  await vectorsOf(baseline, 'entity', pairs.entity);
  const lines = baseline.takeRemarks();
  assert.is(lines.length, 1);
  assert.match(lines[0]!, /^mean attention of entities: words 0\.\d{3}, name 0\.\d{3}, image 0\.\d{3}$/);
  const shares = [...lines[0]!.matchAll(/0\.\d{3}/g)].map(Number);
  assert.ok(Math.abs(shares.reduce((sum, share) => sum + share) - 1) < 2e-3);
  assert.equal(baseline.takeRemarks(), []);
});

test('a name is its bytes, 32 at most, an empty one a symbol of its own', () => {
  assert.equal(Array.from(nameSymbols('aé')), [97, 195, 169]);
  assert.equal(Array.from(nameSymbols('')), [256]);
  assert.is(nameSymbols('ä'.repeat(40)).length, 32);
});

test('the registry says what is no configuration', async () => {
  for (const [options, message] of [
    [{ text: 'glove' }, /^options: text: expected/],
    [{ lambda: -1 }, /^options: lambda/],
    [{ wordHidden: 1.5 }, /^options: wordHidden/],
    [{ dropout: 1 }, /^options: dropout/],
  ] as const) {
    const error = await baselineOf(options).catch((e: unknown) => e);
    assert.instance(error, InputError);
    assert.match((error as Error).message, message);
  }
});

test.run();
