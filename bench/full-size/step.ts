// One training step of the multimodal expert on the weights of a full-size CLIP, by hand and not in `npm test`: its
// seconds and its memory, measured against the estimate of train/memory-estimate.ts.
//
//   node bench/full-size/step.ts FOLDER BATCH [CHUNK] [--finetune]
//
// FOLDER: a CLIP in Hugging Face's layout; h 96 and, unless CLIP is trained itself, r 2 and J 9, texts of full length and
// an image for each, made up. Two steps: the first compiles kernels and fills the pool. Exit code 1 when the measured
// peak is more than 15 % off the estimate, or the second step makes a new buffer.

import { openDevice } from '../../engine/device.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import { loadClip } from '../../model/clip/load-clip.ts';
import { Expert } from '../../model/dsmip/expert-model.ts';
import { madeUpBatch } from '../../tests/support/expert-batch.ts';
import { lossGradients } from '../../train/experts/expert-step.ts';
import { choiceOf, type StepPlan, sizeText } from '../../train/experts/memory-estimate.ts';

const finetune = process.argv.includes('--finetune');
const [folder, batchText, chunkText = '0'] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const [batch, chunk] = [Number(batchText), Number(chunkText)];
if (!folder || !(batch >= 2) || !(chunk >= 0)) {
  console.error('usage: node bench/full-size/step.ts FOLDER BATCH [CHUNK] [--finetune]');
  process.exit(1);
}
const device = await openDevice();
console.log(device.description);
const clip = await loadClip(device, folder, { trainable: finetune });
const shape = { hidden: 96, prompts: { length: 2, depth: finetune ? 0 : 9 } };
const plan: StepPlan = {
  kind: 'multimodal',
  config: { ...shape, clip: clip.config },
  finetune,
  samples: { mention: batch, entity: batch },
  tokens: { mention: clip.config.text.maxLength, entity: clip.config.text.maxLength },
  groups: 1,
};
const expert = new Expert(device, plan.kind, clip, shape, new Random(1));
const adam = new Adam([...expert.trained.values()], { lr: 5e-4 });
const input = madeUpBatch(plan);
await device.finish();
device.trim();
for (const number of [1, 2]) {
  device.resetPeak();
  const { allocations } = device.counters;
  const start = performance.now();
  const loss = await device.scope(() => {
    const { loss, gradients } = lossGradients(expert, input, { chunk });
    adam.step(gradients);
    return loss.item();
  });
  const seconds = (performance.now() - start) / 1000;
  const { memory } = await choiceOf(device, plan, chunk);
  const { peakBytes: peak, reservedBytes: reserved } = device.counters;
  const made = device.counters.allocations - allocations;
  console.log(
    `step ${number}: batch ${batch}, chunk ${chunk}: loss ${loss.toFixed(4)}, ${seconds.toFixed(1)} s; ` +
      `peak ${sizeText(peak)} (estimate ${sizeText(memory.peak)}), ` +
      `buffers ${sizeText(reserved)} (estimate ${sizeText(memory.reserved)}), ${made} of them new`,
  );
  if (Math.abs(peak / memory.peak - 1) > 0.15 || (number === 2 && made > 0)) process.exitCode = 1;
}
device.destroy();
