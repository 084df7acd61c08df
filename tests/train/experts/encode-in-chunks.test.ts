// A batch encoded in chunks, or its texts in groups by length: the same loss, the same gradients.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Adam } from '../../../engine/nn/adam.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { type EncodeOptions, lossGradients } from '../../../train/experts/expert-step.ts';
import { device } from '../../support/device.ts';
import { madeUpBatch } from '../../support/expert-batch.ts';
import { assertClose } from '../../support/gradient.ts';
import { smallExpert, smallPlan } from '../../support/small-expert.ts';

for (const [kind, finetune] of [
  ['multimodal', false],
  ['multimodal', true],
  ['text', true],
  ['visual', true],
  ['text-multimodal', true],
] as const) {
  test(`${kind} expert, ${finetune ? 'CLIP' : 'prompts'} trained: chunks and groups give the whole batch's loss and gradients`, async () => {
    const plan = smallPlan(kind, finetune);
    const expert = smallExpert(plan, device);
    const batch = madeUpBatch(plan, true);
    // A text twice: groups encode it once.
    const { ids, mask, length } = batch.entity.texts;
    for (const numbers of [ids, mask]) numbers.copyWithin(5 * length, 3 * length, 4 * length);
    const found = async (options: EncodeOptions) => {
      const [loss, ...gradients] = await device.scope(() => {
        const { loss, gradients } = lossGradients(expert, batch, options);
        const reading = async ([{ name }, gradient]: [Tensor, Tensor]) =>
          [name, await gradient.read()] as const;
        return Promise.all([loss.item(), ...[...gradients].map(reading)]);
      });
      return { loss, gradients: new Map(gradients) };
    };
    const whole = await found({ chunk: 0 });
    // Of all that is trained only CLIP's temperature has no part in the loss, nor the encoder that is not looked at.
    const expected = [...expert.trained.keys()].filter((name) => isUsed(name, kind));
    assert.equal([...whole.gradients.keys()].sort(), expected.sort());
    // A gradient that is zero but for rounding (a key's bias moves all scores alike) is compared with all of them.
    const largest = Math.max(...[...whole.gradients.values()].flatMap((values) => [...values].map(Math.abs)));
    for (const options of [1, 3, 7].flatMap((n) => [{ chunk: n }, { chunk: 0, groups: n }])) {
      const { loss, gradients } = await found(options);
      const how = JSON.stringify(options);
      assert.ok(Math.abs(loss / whole.loss - 1) < 1e-6, `${how}: ${loss}, ${whole.loss}`);
      assert.equal([...gradients.keys()].sort(), [...whole.gradients.keys()].sort());
      for (const [name, values] of whole.gradients) {
        assertClose(gradients.get(name)!, values, 1e-5, `${how}: ${name}`, 1e-3 * largest);
      }
    }
  });
}

test('the gradients that chunks give train: the loss of a batch falls as it does encoded whole', async () => {
  const plan = smallPlan('multimodal', false);
  const batch = madeUpBatch(plan);
  const losses = async (chunk: number) => {
    const expert = smallExpert(plan, device);
    const adam = new Adam([...expert.trained.values()], { lr: 5e-3 });
    const found: number[] = [];
    for (let i = 0; i < 10; i++) {
      found.push(
        await device.scope(() => {
          const { loss, gradients } = lossGradients(expert, batch, { chunk });
          adam.step(gradients);
          return loss.item();
        }),
      );
    }
    return found;
  };
  const [whole, chunked] = [await losses(0), await losses(2)];
  assert.ok(whole.at(-1)! < whole[0]! - 0.1, `${whole}`);
  assertClose(chunked, whole, 1e-3, 'losses');
});

function isUsed(name: string, kind: string): boolean {
  if (name === 'logit_scale') return false;
  if (kind === 'text') return !/^vis/.test(name);
  // One side's image is seen by its tokens alone.
  if (kind === 'text-multimodal') return !/^visual_projection|post_layernorm/.test(name);
  return kind !== 'visual' || !/^text_/.test(name);
}

test.run();
