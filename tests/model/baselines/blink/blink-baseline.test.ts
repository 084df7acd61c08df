// What the baseline BLINK must keep beside the reference's numbers (cases/blink-biencoder): its packing, two towers, and that it
// learns.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWordPiece } from '../../../../data/text/wordpiece/wordpiece.ts';
import { InputError } from '../../../../files/errors.ts';
import { BlinkBaseline } from '../../../../model/baselines/blink/blink-baseline.ts';
import { hits, learn, scoresOf } from '../../../support/baseline.ts';
import { device } from '../../../support/device.ts';
import { features, freshBert, textSamples, vocabulary } from '../../../support/text-pairs.ts';

const n = 32;
const pairs = { mention: textSamples(n, 1, true), entity: textSamples(n, 2, false) };
const options = { contextLength: 16, entityLength: 12, dropout: 0.1 };
const towers = () => ({ mention: freshBert(), entity: freshBert() });
const baselineOf = () => new BlinkBaseline('blink', { device }, towers(), options);

const tokensOf = (ids: readonly number[]) => ids.map((id) => vocabulary[id]!);

test('a mention stands between tags in its sentence, an entity has one between name and attributes', async () => {
  const baseline = baselineOf();
  const about = (name: string, context: string) => ({ ...pairs.mention, texts: [{ name, context }] });
  const [mention] = await baseline.trainingInputs('mention', about('wb1 wc2', 'wd3 WB1 WC2 we4'));
  assert.equal(tokensOf(mention!.ids), [
    '[CLS]',
    'wd3',
    '[unused0]',
    'wb1',
    'wc2',
    '[unused1]',
    'we4',
    '[SEP]',
  ]);
  const [entity] = await baseline.trainingInputs('entity', about('wb1', 'wd3 we4'));
  assert.equal(tokensOf(entity!.ids), ['[CLS]', 'wb1', '[unused2]', 'wd3', 'we4', '[SEP]']);
  assert.equal(baseline.takeWarnings(), []);
  const [unfound] = await baseline.trainingInputs('mention', about('wf5', 'wd3 we4'));
  assert.equal(tokensOf(unfound!.ids).slice(0, 4), ['[CLS]', '[unused0]', 'wf5', '[unused1]']);
  assert.match(baseline.takeWarnings().join(), /: 1$/);
  assert.equal(baseline.takeWarnings(), [], 'said once');
});

test('texts keep within their lengths', async () => {
  const baseline = baselineOf();
  for (const side of ['mention', 'entity'] as const) {
    const long = {
      ...pairs[side],
      texts: pairs[side].texts.map(({ name, context }) => ({
        name,
        context: `${context} ${context} ${context}`,
      })),
    };
    const packed = await baseline.trainingInputs(side, long);
    const most = Math.max(...packed.map(({ ids }) => ids.length));
    assert.is(most, side === 'mention' ? options.contextLength : options.entityLength);
  }
});

test('two towers of the same weights are trained apart, and learn 32 pairs by heart', async () => {
  const baseline = baselineOf();
  const names = [...baseline.groups.decayed.keys(), ...baseline.groups.others.keys()];
  assert.is(names.filter((name) => name.startsWith('mention.')).length, names.length / 2);
  assert.ok(names.includes('entity.encoder.layer.0.output.LayerNorm.bias'));
  assert.not(names.includes('logit_scale'));
  await learn(baseline, pairs, features, { lr: 4e-3, most: 400 });
  assert.is(hits(await scoresOf(baseline, pairs, features)), 100);
  const name = 'encoder.layer.0.output.dense.weight';
  const [mention, entity] = await Promise.all(
    ['mention', 'entity'].map((side) => device.read<'f32'>(baseline.groups.decayed.get(`${side}.${name}`)!)),
  );
  assert.not.equal(mention, entity);
});

test('a vocabulary without tags and lengths that the BERT does not take are refused', () => {
  const untagged = createWordPiece(vocabulary.map((token) => (token === '[unused2]' ? 'other' : token)));
  const [a, b] = [freshBert(), freshBert()];
  const refused = (make: () => unknown, message: RegExp) =>
    assert.throws(make, (error: Error) => error instanceof InputError && message.test(error.message));
  refused(
    () =>
      new BlinkBaseline('blink', { device }, { mention: { ...a, tokenizer: untagged }, entity: b }, options),
    /vocab\.txt: expected the tokens \[unused2\]/,
  );
  refused(
    () => new BlinkBaseline('blink', { device }, { mention: a, entity: b }, { ...options, entityLength: 49 }),
    /^entityLength: expected at most 48/,
  );
});

test.run();
