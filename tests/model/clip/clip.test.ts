// Properties of the encoders that no reference case shows: padding, prompts, what is recorded, what is refused.

import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward, noGrad } from '../../../engine/autograd.ts';
import { ShapeError } from '../../../engine/errors.ts';
import { add } from '../../../engine/ops/elementwise.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { slice } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { readCase } from '../../../eval/verify/case.ts';
import { clipConfig } from '../../../eval/verify/clip.ts';
import { ClipImageEncoder, ClipTextEncoder, type TextBatch } from '../../../model/clip/clip.ts';
import { InteractivePrompts } from '../../../model/dsmip/prompts.ts';
import { ParameterError, ParameterStore } from '../../../model/parameter-store.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';

// The weights and inputs of a reference case; that its values and gradients are right is tests/verify's matter.
const reference = await readCase(fileURLToPath(new URL('../../cases/prompts', import.meta.url)));
const config = clipConfig(reference.config);
const promptConfig = { length: 2, depth: 3 };
const tensors = new Map<string, Tensor>(
  [...reference.parameters].map(([name, { shape, data }]) => [name, device.tensor(shape, data, { name })]),
);
const p = new ParameterStore(tensors);
const [text, vision] = [new ClipTextEncoder(p, config), new ClipImageEncoder(p, config)];
const prompts = {
  mention: new InteractivePrompts(p, 'mention', config, promptConfig),
  entity: new InteractivePrompts(p, 'entity', config, promptConfig),
};
const [B, L] = reference.inputs.get('ids')!.shape as [number, number];
const texts: TextBatch = {
  ids: reference.inputs.get('ids')!.data as Int32Array<ArrayBuffer>,
  mask: reference.inputs.get('mask')!.data as Int32Array<ArrayBuffer>,
  count: B,
  length: L,
};
const { shape: pixelShape, data: pixelData } = reference.inputs.get('pixels')!;
const pixels = device.tensor(pixelShape, pixelData, { name: 'pixels' });

/** Marks as trainable exactly the parameters whose names fit. */
function train(fits: (name: string) => boolean): void {
  for (const [name, tensor] of tensors) tensor.requiresGrad = fits(name);
}
const isPrompt = (name: string) => /^(prompts|coupling)\.mention\./.test(name);

/** A loss over both prompted encoders. */
function loss(): Tensor {
  const own = prompts.mention.make();
  const mention = text.encode(texts, own.text);
  const image = vision.encode(pixels, own.vision);
  return [mention.tokens, mention.embeds, image.tokens, image.embeds].map((t) => sum(t)).reduce(add);
}

/** The texts in rows of another length, padded with token 0. */
function padded({ ids, mask, count, length }: TextBatch, to: number): TextBatch {
  const result = { ids: new Int32Array(count * to), mask: new Int32Array(count * to), count, length: to };
  for (let b = 0; b < count; b++) {
    result.ids.set(ids.subarray(b * length, b * length + Math.min(length, to)), b * to);
    result.mask.set(mask.subarray(b * length, b * length + Math.min(length, to)), b * to);
  }
  return result;
}

test('features of a text do not depend on the padding of its batch', async () => {
  const width = config.text.width;
  const [short, long] = await Promise.all(
    [L, config.text.maxLength].map((length) =>
      Promise.all(
        device.scope(() => {
          const { tokens, embeds } = text.encode(padded(texts, length), prompts.mention.make().text);
          return [tokens.read(), embeds.read()];
        }),
      ),
    ),
  );
  const row = (data: ArrayLike<number>, b: number, length: number) => {
    const real = texts.mask.subarray(b * L, (b + 1) * L).reduce((total, m) => total + m, 0);
    const start = b * (promptConfig.length + length) * width;
    return Array.prototype.slice.call(data, start, start + (promptConfig.length + real) * width) as number[];
  };
  assertClose(short![1]!, long![1]!, 1e-5, 'embeds');
  for (let b = 0; b < B; b++) {
    assertClose(row(short![0]!, b, L), row(long![0]!, b, config.text.maxLength), 1e-5, `tokens of text ${b}`);
  }
});

test('an image encoded alone has the features it has in a batch', async () => {
  const [all, one] = await Promise.all(
    device.scope(() => [
      vision.encode(pixels).embeds.read(),
      vision.encode(slice(pixels, 0, 1, 1)).embeds.read(),
    ]),
  );
  assertClose(one!, all!.slice(config.projection, 2 * config.projection), 1e-5, 'embeds of image 1');
});

test('embeds have length 1; prompts stand in front of the tokens and in the mask', async () => {
  const own = prompts.entity.make();
  const mentions = text.encode(texts, own.text);
  const images = vision.encode(pixels, own.vision);
  const r = promptConfig.length;
  assert.equal(mentions.tokens.shape, [B, r + L, config.text.width]);
  assert.equal(images.tokens.shape, [B, r + 17, config.vision.width]);
  assert.equal(mentions.mask.shape, [B, r + L]);
  const mask = await mentions.mask.read();
  for (let b = 0; b < B; b++) {
    const expected = [...new Array(r).fill(1), ...texts.mask.subarray(b * L, (b + 1) * L)];
    assert.equal([...mask.subarray(b * (r + L), (b + 1) * (r + L))], expected);
  }
  for (const embeds of [mentions.embeds, images.embeds]) {
    assert.equal(embeds.shape, [B, config.projection]);
    const values = await embeds.read();
    const squares = [...values.subarray(0, config.projection)].reduce(
      (total, v) => total + Number(v) ** 2,
      0,
    );
    assert.ok(Math.abs(squares - 1) < 1e-5, `length of an embed: ${squares}`);
  }
});

test('a frozen encoder with trainable prompts computes no gradients of its weights', () => {
  const measure = (fits: (name: string) => boolean) => {
    train(fits);
    return device.scope(() => {
      const y = loss();
      const before = device.counters.dispatches;
      const leaves = [...backward(y).keys()].map((leaf) => leaf.name);
      return { leaves: leaves.sort(), dispatches: device.counters.dispatches - before };
    });
  };
  const all = measure((name) => !name.includes('.entity.'));
  const frozen = measure(isPrompt);
  const none = measure(() => false);
  assert.equal(frozen.leaves, [...tensors.keys()].filter(isPrompt).sort());
  assert.is(all.leaves.length, [...tensors.keys()].filter((name) => !name.includes('.entity.')).length);
  assert.equal(none, { leaves: [], dispatches: 0 });
  // Six linear layers a block: a dispatch at least for each weight and each bias.
  const saved = 12 * (config.text.layers + config.vision.layers);
  assert.ok(
    frozen.dispatches <= all.dispatches - saved,
    `${frozen.dispatches} of ${all.dispatches} dispatches`,
  );
});

test('without a gradient to compute, nothing is recorded', () => {
  train(isPrompt);
  assert.is(
    device.scope(() => noGrad(loss).node),
    null,
  );
});

test('a step in a steady state allocates and compiles nothing, and its memory is given back', async () => {
  train(isPrompt);
  const step = () =>
    device.scope(() => {
      const y = loss();
      backward(y);
      return y.item();
    });
  const first = await step();
  await step();
  const before = { ...device.counters };
  assert.is(await step(), first, 'the same loss, bit for bit');
  for (const counter of ['allocations', 'pipelines'] as const) {
    assert.is(device.counters[counter], before[counter], counter);
  }
  // What earlier tests left to the garbage collector may come back meanwhile, so live bytes can only be bounded.
  assert.ok(device.counters.liveBytes <= before.liveBytes, 'live bytes');
});

test('a missing or misshapen weight is named in full, with the shape expected', () => {
  const name = 'text_model.encoder.layers.2.mlp.fc1.weight';
  const without = new ParameterStore(new Map([...tensors].filter(([other]) => other !== name)));
  const refused = (weights: ParameterStore) => new ClipTextEncoder(weights, config);
  assert.throws(
    () => refused(without),
    (error: Error) => {
      return (
        error instanceof ParameterError && error.message.includes(name) && error.message.includes('[128,32]')
      );
    },
  );
  const turned = new ParameterStore(new Map([...tensors, [name, device.zeros([32, 128])]]));
  assert.throws(
    () => refused(turned),
    (error: Error) => {
      return (
        error instanceof ParameterError && error.message.includes(name) && error.message.includes('[32,128]')
      );
    },
  );
});

const refusals: [what: string, run: () => unknown, message: RegExp][] = [
  [
    'a text beyond the position table',
    () => text.encode(padded(texts, 17)),
    /17 tokens, the encoder takes 16/,
  ],
  [
    'an id outside the vocabulary',
    () => text.encode({ ...texts, ids: texts.ids.map(() => 99) }),
    /text 0 has token id 99/,
  ],
  ['a negative id', () => text.encode({ ...texts, ids: texts.ids.map(() => -1) }), /token id -1/],
  ['an empty text', () => text.encode({ ...texts, mask: texts.mask.map(() => 0) }), /mask of text 0/],
  [
    'a mask with a hole',
    () => text.encode({ ...texts, mask: texts.mask.map((_, i) => (i === 1 ? 0 : 1)) }),
    /mask of text 0/,
  ],
  [
    'a mask of other numbers',
    () => text.encode({ ...texts, mask: texts.mask.map(() => 2) }),
    /mask of text 0/,
  ],
  ['too few ids', () => text.encode({ ...texts, count: B + 1 }), /values for 6 texts of 13 tokens/],
  ['images of another size', () => vision.encode(device.zeros([1, 3, 16, 16])), /must be \[B, 3, 32, 32\]/],
  [
    'prompts for too many layers',
    () => vision.encode(pixels, new Array(5).fill(device.zeros([2, 48]))),
    /prompts for 5 layers, the encoder has 4/,
  ],
  ['prompts of another width', () => vision.encode(pixels, [device.zeros([2, 32])]), /\[2,32\]/],
  [
    'prompts of different lengths',
    () => vision.encode(pixels, [device.zeros([2, 48]), device.zeros([3, 48])]),
    /\[3,48\]/,
  ],
];
for (const [what, run, message] of refusals) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => device.scope(() => void run()),
      (error: Error) => error instanceof ShapeError && message.test(error.message),
    );
  });
}

test.run();
