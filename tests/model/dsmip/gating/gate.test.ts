// The gate: its features, that a pair has the same choice in any batch, dropout, and what is refused.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../../engine/autograd.ts';
import { ShapeError } from '../../../../engine/errors.ts';
import { mul } from '../../../../engine/ops/elementwise.ts';
import { sum } from '../../../../engine/ops/reduce.ts';
import { Random } from '../../../../engine/random.ts';
import { Gate, gateFeatures, SideGate } from '../../../../model/dsmip/gating/gate.ts';
import { initialise } from '../../../../model/initialise.ts';
import { choiceOf } from '../../../../ranking/gate-logits.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

const config = { hidden: 12, experts: 3 };
const width = 7;
const { module: gate } = initialise(device, new Random(3), (p) => new Gate(p, config, width));
const mention = device.tensor([4, width], normal(4 * width, 1));
const entity = device.tensor([5, width], normal(5 * width, 2));

test('text features are the mean over real tokens, whatever stands on padding and however long it is', async () => {
  const table = device.parameter([10, 3], normal(30, 4), 'table');
  const values = await table.read();
  const image = device.tensor([2, 2], [1, 2, 3, 4]);
  const features = (ids: number[], mask: number[]) =>
    gateFeatures(
      table,
      { ids: Int32Array.from(ids), mask: Int32Array.from(mask), count: 2, length: ids.length / 2 },
      image,
    );
  const short = features([1, 2, 3, 4, 5, 9], [1, 1, 1, 1, 1, 0]);
  const long = features([1, 2, 3, 0, 4, 5, 7, 7], [1, 1, 1, 0, 1, 1, 0, 0]);
  const row = (ids: number[], d: number) =>
    ids.reduce((sum, id) => sum + values[3 * id + d]!, 0) / ids.length;
  const expected = [
    ...[0, 1, 2].map((d) => row([1, 2, 3], d)),
    1,
    2,
    ...[0, 1, 2].map((d) => row([4, 5], d)),
    3,
    4,
  ];
  assertClose(await short.read(), expected, 1e-6, 'short');
  assertClose(await long.read(), expected, 1e-6, 'long');
  assert.not(short.requiresGrad);
});

test('without dropout a pair has the same probabilities in any batch, and none is negative', async () => {
  const all = await gate.probabilities(mention, entity).read();
  assert.ok([...all].every((pi) => pi >= 0) && [...all].some((pi) => pi > 0));
  const last = device.tensor([1, width], (await device.read<'f32'>(entity)).slice(4 * width));
  const alone = await gate.probabilities(mention, last).read();
  assertClose(
    alone,
    [0, 1, 2, 3].flatMap((m) => [...all.slice((m * 5 + 4) * 3, (m * 5 + 5) * 3)]),
    1e-6,
    'pi',
  );
});

test('dropout changes the probabilities, the same way for the same generator', async () => {
  const draw = async (seed: number) => [
    ...(await gate.probabilities(mention, entity, { rate: 0.5, random: new Random(seed) }).read()),
  ];
  const without = [...(await gate.probabilities(mention, entity).read())];
  assert.equal(await draw(1), await draw(1));
  assert.not.equal(await draw(1), await draw(2));
  assert.not.equal(await draw(1), without);
});

test('a gate by side chooses each side alone, and sums of its logits choose the same', async () => {
  const { module: sides } = initialise(device, new Random(5), (p) => new SideGate(p, 12, width));
  const pi = {
    mention: await device.read<'f32'>(sides.modalities('mention', mention)),
    entity: await device.read<'f32'>(sides.modalities('entity', entity)),
  };
  const u = await device.read<'f32'>(sides.logits('mention', mention));
  const v = await device.read<'f32'>(sides.logits('entity', entity));
  const larger = (own: Float32Array, row: number) => Number(own[2 * row + 1]! > own[2 * row]!);
  const seen = new Set<number>();
  for (let m = 0; m < 4; m++) {
    for (let e = 0; e < 5; e++) {
      const expert = 2 * larger(pi.mention, m) + larger(pi.entity, e);
      assert.is(choiceOf(u.subarray(4 * m, 4 * m + 4), v.subarray(4 * e, 4 * e + 4)), expert);
      seen.add(expert);
    }
  }
  assert.ok(seen.size > 1, `${[...seen]}`);
});

test('features of another width or rank are refused', () => {
  const refused = (f: number[], message: RegExp) =>
    assert.throws(
      () => gate.probabilities(device.zeros(f), entity),
      (e: Error) => e instanceof ShapeError && message.test(e.message),
    );
  refused([4, 8], /\[4,8\].*gate\.mention\.0\.weight \[12,7\]/);
  refused([7], /must be \[samples, width\]/);
});

test('a gate that starts by mention is the same for all entities at first, and learns to tell them apart', async () => {
  const { module, tensors } = initialise(device, new Random(3), (p) => new Gate(p, config, width, 'mention'));
  const pi = module.probabilities(mention, entity); // [4, 5, 3]
  const values = await pi.read();
  for (let m = 0; m < 4; m++) {
    const first = values.slice(15 * m, 15 * m + 3);
    for (let e = 1; e < 5; e++) assert.equal(values.slice(15 * m + 3 * e, 15 * m + 3 * e + 3), first);
  }
  assert.ok(new Set(values).size >= 8, 'mentions differ');
  const weights = device.tensor([4, 5, 3], normal(60, 9));
  const gradient = backward(sum(mul(pi, weights))).get(tensors.get('gate.entity.1.weight')!)!;
  assert.ok((await gradient.read()).some((v) => v !== 0));
});

test.run();
