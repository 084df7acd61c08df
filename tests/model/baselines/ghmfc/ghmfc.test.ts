// GHMFC's network beside its reference case (tests/cases/ghmfc): its parameters and where they start, and what must
// change nothing: padding, the other mentions of a batch, how many equal image tokens there are.

import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { noGrad } from '../../../../engine/autograd.ts';
import { Random } from '../../../../engine/random.ts';
import { readCase } from '../../../../eval/verify/case.ts';
import type { Dropped } from '../../../../model/baselines/ghmfc/decoder.ts';
import { Ghmfc, type GhmfcConfig } from '../../../../model/baselines/ghmfc/ghmfc.ts';
import { Bert } from '../../../../model/bert/bert.ts';
import { initialise } from '../../../../model/initialise.ts';
import { declared } from '../../../../model/parameter-source.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

const config: GhmfcConfig = { width: 12, heads: 3, hidden: 20, layers: 2, textWidth: 10, patchWidth: 7 };
const { module: network, tensors } = initialise(device, new Random(3), (p) => new Ghmfc(p, config));
const R = 4;

test("names and shapes are the reference's", async () => {
  const { parameters, config } = await readCase(
    fileURLToPath(new URL('../../../cases/ghmfc', import.meta.url)),
  );
  const number = (name: string) => config.number(name);
  const specs = declared((p) => [
    new Bert(p.under('bert'), {
      width: number('text_width'),
      hidden: number('text_hidden'),
      heads: number('text_heads'),
      layers: number('text_layers'),
      vocabulary: number('vocab'),
      maxLength: number('max_length'),
      types: number('types'),
      eps: 1e-12,
    }),
    new Ghmfc(p, {
      width: number('head_width'),
      heads: number('head_heads'),
      hidden: number('head_hidden'),
      layers: number('head_layers'),
      textWidth: number('text_width'),
      patchWidth: number('patch_width'),
    }),
  ]);
  const shapesOf = (of: Iterable<readonly [string, { shape: readonly number[] }]>) =>
    [...of].map(([name, { shape }]) => `${name} [${shape}]`).sort();
  assert.equal(shapesOf(specs), shapesOf(parameters));
});

test("an entity's output starts as the identity, convolutions within 1 / sqrt(inputs)", async () => {
  const identity = await tensors.get('entity_output.weight')!.read();
  assert.equal(
    [...identity],
    Array.from({ length: 100 }, (_, i) => (i % 11 === 0 ? 1 : 0)),
  );
  assert.ok([...(await tensors.get('entity_output.bias')!.read())].every((v) => v === 0));
  const largest = Math.max(...(await tensors.get('phrase.conv3.weight')!.read()).map(Math.abs));
  assert.ok(largest <= 36 ** -0.5 && largest > 0.95 * 36 ** -0.5, `${largest}`);
});

interface Given {
  /** Real tokens of each text. */
  lengths: readonly number[];
  /** Which texts and images these are. */
  numbers?: readonly number[];
  /** Tokens that a text is padded to. */
  length: number;
  patches?: (number: number) => Float32Array<ArrayBuffer>;
  dropped?: Dropped;
}

const noise = (number: number) => normal(R * config.patchWidth, 500 + number);

/** Vector, text and image of mentions; a text's tokens depend on its number, what stands on padding on all there is. */
async function mentionsOf({
  lengths,
  numbers = [...lengths.keys()],
  length,
  patches = noise,
  dropped,
}: Given) {
  const { textWidth: d } = config;
  const B = lengths.length;
  const [hidden, mask] = [normal(B * length * d, 900 + length + B), new Int32Array(B * length)];
  for (const [i, real] of lengths.entries()) {
    hidden.set(normal(real * d, numbers[i]!), i * length * d);
    mask.fill(1, i * length, i * length + real);
  }
  const images = numbers.map(patches);
  const all = Float32Array.from(images.flatMap((image) => [...image]));
  return device.scope(() => {
    const image = device.tensor([B, images[0]!.length / config.patchWidth, config.patchWidth], all);
    const found = noGrad(() => network.mention(device.tensor([B, length, d], hidden), mask, image, dropped));
    return Promise.all([found.vector, found.text, found.image].map((x) => device.read<'f32'>(x)));
  });
}

test('padding changes nothing', async () => {
  const lengths = [9, 3, 2, 6];
  const [tight, loose] = [
    await mentionsOf({ lengths, length: 9 }),
    await mentionsOf({ lengths, length: 17 }),
  ];
  for (const [i, part] of tight!.entries()) assertClose(loose![i]!, part, 1e-5, `part ${i}`);
});

test('neither do the other mentions, nor their order', async () => {
  const all = await mentionsOf({ lengths: [9, 3, 2, 6], length: 9 });
  const other = await mentionsOf({ lengths: [6, 9, 3], numbers: [3, 0, 1], length: 9 });
  for (const [i, part] of other.entries()) {
    const width = part.length / 3;
    const row = (of: Float32Array, at: number) => of.subarray(at * width, (at + 1) * width);
    for (const [at, number] of [3, 0, 1].entries()) {
      assertClose(row(part, at), row(all[i]!, number), 1e-5, `part ${i} of ${number}`);
    }
  }
});

test('all image tokens equal: every query gets the same of the image, as from one of them', async () => {
  const token = (number: number) => noise(number).slice(0, config.patchWidth);
  const many = (number: number) =>
    Float32Array.from(Array.from({ length: 5 }, () => [...token(number)]).flat());
  const given = { lengths: [9, 3], length: 9 };
  const [one, five] = [
    await mentionsOf({ ...given, patches: token }),
    await mentionsOf({ ...given, patches: many }),
  ];
  for (const [i, part] of one.entries()) assertClose(five[i]!, part, 1e-5, `part ${i}`);
  assert.not.equal(one, await mentionsOf({ ...given, patches: (number) => token(number + 1) }));
});

test('dropout is drawn from what it is given, and reaches text, image and vector', async () => {
  const drawn = (rate: number, seed: number) =>
    mentionsOf({ lengths: [9, 3], length: 9, dropped: { rate, random: new Random(seed) } });
  const [plain, none, once, again, other] = [
    await mentionsOf({ lengths: [9, 3], length: 9 }),
    await drawn(0, 1),
    await drawn(0.3, 1),
    await drawn(0.3, 1),
    await drawn(0.3, 2),
  ];
  for (const i of [0, 1, 2]) {
    assertClose(none![i]!, plain![i]!, 1e-6, `part ${i} at a rate of 0`);
    assert.equal(once![i], again![i]);
    assert.not.equal(once![i], other![i]);
    assert.not.equal(once![i], plain![i]);
  }
});

test.run();
