// The estimate of a step's memory against what a step takes, and what is chosen by it.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dryRunOf } from '../../../engine/device/dry-run.ts';
import { openDevice } from '../../../engine/device.ts';
import { Adam } from '../../../engine/nn/adam.ts';
import { lossGradients } from '../../../train/experts/expert-step.ts';
import { choiceOf, chooseChunk, memoryLines } from '../../../train/experts/memory-estimate.ts';
import { madeUpBatch } from '../../support/expert-batch.ts';
import { smallExpert, smallPlan } from '../../support/small-expert.ts';

const clip = {
  text: { width: 32, hidden: 128, heads: 4, layers: 4, vocabulary: 100, maxLength: 40 },
  vision: { width: 48, hidden: 192, heads: 4, layers: 3, imageSize: 32, patchSize: 8 },
  projection: 32,
};
const cases = [false, true].map((finetune) => ({
  ...smallPlan('multimodal', finetune, clip),
  samples: { mention: 6, entity: 10 },
  tokens: { mention: 31, entity: 40 },
}));

test('the estimate is what a step takes, whole and in chunks, and a second step makes no buffer', async () => {
  for (const plan of cases) {
    for (const chunk of [0, 4]) {
      // A device of its own: nothing else lives on it or waits for the garbage collector.
      const fresh = await openDevice();
      const expert = smallExpert(plan, fresh);
      const adam = new Adam([...expert.trained.values()], { lr: 1e-3 });
      const batch = madeUpBatch(plan);
      const step = () =>
        fresh.scope(() => {
          const { loss, gradients } = lossGradients(expert, batch, { chunk });
          adam.step(gradients);
          return loss.item();
        });
      await fresh.finish();
      fresh.trim();
      fresh.resetPeak();
      await step();
      const { peakBytes: peak, reservedBytes: reserved, ...after } = { ...fresh.counters };
      const { memory } = await choiceOf(fresh, plan, chunk);
      const what = `${plan.kind}, ${plan.samples.mention} mentions, chunk ${chunk}`;
      assert.ok(Math.abs(memory.peak / peak - 1) < 0.02, `${what}: peak ${peak}, estimate ${memory.peak}`);
      assert.ok(
        Math.abs(memory.reserved / reserved - 1) < 0.02,
        `${what}: ${reserved} of buffers, estimate ${memory.reserved}`,
      );
      await step();
      assert.is(fresh.counters.allocations, after.allocations, `${what}: buffers made`);
      assert.is(fresh.counters.pipelines, after.pipelines, `${what}: pipelines made`);
      assert.is(fresh.counters.liveBytes, after.liveBytes, `${what}: live bytes`);
      adam.release();
      fresh.destroy();
    }
  }
});

test('of texts in groups the estimate is what they take where all are as long as may be', async () => {
  const plan = { ...cases[0]!, groups: 3 };
  const fresh = await openDevice();
  const expert = smallExpert(plan, fresh);
  const adam = new Adam([...expert.trained.values()], { lr: 1e-3 });
  const peakOf = async (isFull: boolean) => {
    const batch = madeUpBatch(plan);
    if (isFull) for (const { texts } of [batch.mention, batch.entity]) texts.mask.fill(1);
    await fresh.finish();
    fresh.trim();
    fresh.resetPeak();
    await fresh.scope(() => {
      const { loss, gradients } = lossGradients(expert, batch, { chunk: 0, groups: plan.groups });
      adam.step(gradients);
      return loss.item();
    });
    return fresh.counters.peakBytes;
  };
  const { peak } = (await choiceOf(fresh, plan, 0)).memory;
  const [some, full] = [await peakOf(false), await peakOf(true)];
  assert.ok(Math.abs(peak / full - 1) < 0.02, `${full}, estimate ${peak}`);
  assert.ok(some < peak, `${some}, estimate ${peak}`);
  adam.release();
  fresh.destroy();
});

test('chunks take less memory the smaller they are, and the largest that fits is chosen', async () => {
  const device = await openDevice();
  const plan = { ...cases[0]!, samples: { mention: 64, entity: 64 } };
  const sizes: number[] = [];
  for (const chunk of [0, 32, 16]) sizes.push((await choiceOf(device, plan, chunk)).memory.reserved);
  assert.ok(sizes[0]! > 1.5 * sizes[1]! && sizes[1]! > sizes[2]!, `${sizes}`);
  assert.is((await chooseChunk(device, plan, sizes[0]!)).chunk, 0);
  assert.is((await chooseChunk(device, plan, sizes[0]! - 1)).chunk, 32);
  assert.is((await chooseChunk(device, plan, sizes[2]!)).chunk, 16);
  let message = '';
  await chooseChunk(device, plan, 1e5).catch((error: Error) => {
    message = error.message;
  });
  assert.match(
    message,
    /^a step takes \S+ MB of device memory at the least, .* training\.batchSize.* training\.memoryGB/,
  );
  const lines = await memoryLines(device, plan);
  assert.match(lines[0]!, /multimodal expert, 64 mentions of up to 31 tokens and 64 entities of up to 40/);
  assert.is(lines.length, 12);
  const { counters } = device;
  assert.is(counters.dispatches, 0, 'nothing is computed on the device itself');
  device.destroy();
});

test('nothing can be read from a dry run', async () => {
  const device = await openDevice();
  const idle = await dryRunOf(device);
  let message = '';
  await idle
    .zeros([2])
    .read()
    .catch((error: Error) => {
      message = error.message;
    });
  assert.match(message, /dry run computes nothing/);
  device.destroy();
});

test.run();
