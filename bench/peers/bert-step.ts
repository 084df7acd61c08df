// A training step of the baseline BERT, by hand and not in `npm test`, in pairs with PyTorch on the same cores:
//
//   node bench/peers/bert-step.ts [PYTHON]
//
// A step encodes 32 mentions and 32 entities of full length, takes the contrastive loss and its gradients, and steps AdamW on
// all parameters; without dropout. PYTHON: an interpreter with torch and transformers, for which bert_step.py beside this file
// does the same on two threads. Prints milliseconds of the fastest and of the median step, and the processor time of a step, which
// is what a busy machine leaves to compare.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openDevice } from '../../engine/device.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import { trainedTensors } from '../../model/baselines/baseline.ts';
import { BertBaseline } from '../../model/baselines/bert/bert-baseline.ts';
import { Bert, type BertConfig } from '../../model/bert/bert.ts';
import { initialise } from '../../model/initialise.ts';
import { baselineGradients } from '../../train/baselines/baseline-step.ts';
import { lineOf, type Timed, timesOf } from './paired.ts';

const batch = 32;
/** `steps`: of one round; one more, the first, is not counted. */
const sizes = [
  { width: 64, heads: 2, layers: 3, vocabulary: 3000, length: 48, steps: 10 },
  { width: 768, heads: 12, layers: 2, vocabulary: 30522, length: 64, steps: 2 },
];
/** Rounds of both, in turn. */
const rounds = 3;

const [python] = process.argv.slice(2);
const device = await openDevice();
console.log(device.description);
for (const size of sizes) {
  const ours: Timed[] = [];
  const theirs: Timed[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(...(await ownSteps(size)));
    if (python) theirs.push(...torchSteps(python, size));
  }
  const { width, layers, length } = size;
  console.log(`width ${width}, ${layers} layers, 2 x ${batch} texts of ${length} tokens`);
  console.log(`  ours:    ${lineOf(ours)}`);
  if (theirs.length === 0) continue;
  console.log(`  PyTorch: ${lineOf(theirs)}`);
  const [own, torch] = [timesOf(ours), timesOf(theirs)];
  console.log(`  ours / theirs: ${own.map((time, i) => (time / torch[i]!).toFixed(2)).join(', ')}`);
}
device.destroy();

/** Milliseconds of steps after the first. */
async function ownSteps({
  width,
  heads,
  layers,
  vocabulary,
  length,
  steps,
}: (typeof sizes)[number]): Promise<Timed[]> {
  const config: BertConfig = {
    ...{ width, heads, layers, vocabulary, hidden: 4 * width, maxLength: 64, types: 2, eps: 1e-12 },
  };
  const built = initialise(device, new Random(1), (p) => new Bert(p, config));
  const bert = { ...built, config, pooler: null, tokenizer: null as never };
  const options = { textLength: length, dropout: 0, loss: 'ce' } as const;
  const baseline = new BertBaseline('bert', { device, random: new Random(2) }, bert, options);
  const adam = new Adam([...trainedTensors(baseline).values()], { lr: 1e-4, weightDecay: 0.01 });
  const ids = new Random(3).words(2 * batch * length);
  const side = (first: number) => ({
    inputs: Array.from({ length: batch }, (_, i) => ({
      ids: [...ids.subarray((first + i) * length, (first + i + 1) * length)].map((word) => word % vocabulary),
      types: Array.from({ length }, (_, at) => Number(at > 8)),
    })),
    rows: Array.from({ length: batch }, (_, i) => i),
    images: new Array<number>(batch).fill(0),
    pixels: null,
  });
  const entities = Int32Array.from({ length: batch }, (_, i) => i);
  const step = { mention: side(0), entity: side(batch), entities };
  const times: Timed[] = [];
  for (let i = 0; i <= steps; i++) {
    const start = performance.now();
    const used = process.cpuUsage();
    await device.scope(() => {
      const { loss, gradients } = baselineGradients(baseline, step, 0, new Random(4));
      adam.step(gradients);
      baseline.afterStep();
      return loss.item();
    });
    const { user, system } = process.cpuUsage(used);
    if (i > 0) times.push([performance.now() - start, (user + system) / 1000]);
  }
  adam.release();
  for (const tensor of trainedTensors(baseline).values()) tensor.release();
  return times;
}

function torchSteps(interpreter: string, size: (typeof sizes)[number]): Timed[] {
  const script = fileURLToPath(new URL('bert_step.py', import.meta.url));
  const asked = JSON.stringify({ ...size, batch });
  const { stdout, stderr, status } = spawnSync(interpreter, [script, asked], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Timed[];
}
