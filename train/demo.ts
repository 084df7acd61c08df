// `npm start`: trains a small transformer on a text of this repository, letter by letter, and shows its
// loss fall. Also the shortest complete example of the engine: a model, a step, a loop.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Adam } from '../engine/adam.ts';
import { backward, noGrad } from '../engine/autograd.ts';
import { openDevice } from '../engine/device.ts';
import { attention } from '../engine/ops/attention.ts';
import { crossEntropy } from '../engine/ops/cross-entropy.ts';
import { add } from '../engine/ops/elementwise.ts';
import { embedding } from '../engine/ops/embedding.ts';
import { feedForward } from '../engine/ops/feed-forward.ts';
import { layerNorm } from '../engine/ops/layer-norm.ts';
import { linear } from '../engine/ops/linear.ts';
import { reshape, slice } from '../engine/ops/shape.ts';
import { profileTable } from '../engine/profiler.ts';
import { normal, Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';

const usage = `usage: npm start -- [--steps N] [--seed N] [--profile]
  --steps N   training steps (default 200)
  --seed N    seed of the weights and of the batches (default 1)
  --profile   print the time each kernel took`;

// Size of the model and of a batch, in tokens (letters) where not said otherwise.
const [width, heads, layers, context, batch] = [128, 4, 2, 64, 16];
const learningRate = 2e-3;
const textFile = new URL('../data/openconcepts/OpenConceptsMEL_train.json', import.meta.url);

const flags = readFlags();
const device = await openDevice({ profile: flags.profile });
console.log(`device   ${device.description}`);

// The text: the definitions of the data set's training mentions, one a line.
const mentions: { sentence: string }[] = JSON.parse(await readFile(textFile, 'utf8'));
const text = mentions.map(({ sentence }) => sentence).join('\n');
const letters = [...new Set(text)].sort();
const codes = Int32Array.from(text, (letter) => letters.indexOf(letter));
console.log(`text     ${codes.length} letters, ${letters.length} of them different`);

// The model: a pre-LayerNorm transformer.
const random = new Random(flags.seed);
const weights: Tensor[] = [];
const weight = (name: string, shape: number[], deviation = 0.02) => {
  const parameter = normal(device, shape, random, deviation);
  parameter.name = name;
  parameter.requiresGrad = true;
  weights.push(parameter);
  return parameter;
};
const constant = (name: string, length: number, value: number) => {
  const parameter = device.parameter([length], new Float32Array(length).fill(value), name);
  weights.push(parameter);
  return parameter;
};
const norm = (name: string) =>
  [constant(`${name}.weight`, width, 1), constant(`${name}.bias`, width, 0)] as const;
const dense = (name: string, inputs: number, outputs: number) => ({
  weight: weight(`${name}.weight`, [outputs, inputs]),
  bias: constant(`${name}.bias`, outputs, 0),
});

const table = weight('token_embedding', [letters.length, width]);
const positions = weight('position_embedding', [context, width]);
const blocks = Array.from({ length: layers }, (_, i) => ({
  norm1: norm(`${i}.norm1`),
  query: dense(`${i}.query`, width, width),
  key: dense(`${i}.key`, width, width),
  value: dense(`${i}.value`, width, width),
  out: dense(`${i}.out`, width, width),
  norm2: norm(`${i}.norm2`),
  fc1: dense(`${i}.fc1`, width, 4 * width),
  fc2: dense(`${i}.fc2`, 4 * width, width),
}));
const finalNorm = norm('final_norm');

/** ids [B, L] -> logits [B, L, letters]; the output shares the embedding's weights. */
function model(ids: Tensor): Tensor {
  let x = add(embedding(table, ids), slice(positions, 0, 0, ids.shape[1]!)); // [B, L, width]
  for (const { norm1, query, key, value, out, norm2, fc1, fc2 } of blocks) {
    const y = layerNorm(x, ...norm1);
    const [q, k, v] = [query, key, value].map((p) => linear(y, p.weight, p.bias)) as [Tensor, Tensor, Tensor];
    x = linear(attention(q, k, v, { heads, causal: true }), out.weight, out.bias, { residual: x });
    x = feedForward(layerNorm(x, ...norm2), fc1, fc2, x);
  }
  return linear(layerNorm(x, ...finalNorm), table, null);
}

// Training.
const adam = new Adam(weights, { lr: learningRate });
const size = weights.reduce((sum, { size }) => sum + size, 0);
console.log(`model    ${layers} layers of width ${width}, ${size} parameters`);
console.log(`training ${flags.steps} steps of ${batch} x ${context} letters\n`);
const start = performance.now();
let recent = Number.NaN;
for (let step = 1; step <= flags.steps; step++) {
  const loss = await trainStep();
  recent = step === 1 ? loss : 0.9 * recent + 0.1 * loss;
  if (step === 1 || step % 20 === 0 || step === flags.steps) report(step, recent);
}
console.log(`\nafter "the " it writes:\nthe ${await write('the ', 120)}`);
const { peakBytes, allocations, pipelines } = device.counters;
console.log(
  `\n${(peakBytes / 2 ** 20).toFixed(1)} MiB at the peak, ${allocations} buffers, ${pipelines} kernels compiled`,
);
if (flags.profile) console.log(`\n${profileTable(await device.profile())}`);

function trainStep(): Promise<number> {
  const inputs = new Int32Array(batch * context);
  const targets = new Int32Array(batch * context);
  const starts = random.words(batch);
  for (let b = 0; b < batch; b++) {
    const first = starts[b]! % (codes.length - context - 1);
    inputs.set(codes.subarray(first, first + context), b * context);
    targets.set(codes.subarray(first + 1, first + 1 + context), b * context);
  }
  return device.scope(() => {
    const logits = model(device.tensor([batch, context], inputs));
    const loss = crossEntropy(
      reshape(logits, [batch * context, letters.length]),
      device.tensor([batch * context], targets),
    );
    adam.step(backward(loss), { clipNorm: 1 });
    return loss.item();
  });
}

/** Continues a text letter by letter, the likeliest of a few at random. */
async function write(begin: string, count: number): Promise<string> {
  const written = [...begin].map((letter) => letters.indexOf(letter));
  for (let i = 0; i < count; i++) {
    const seen = Int32Array.from(written.slice(-context));
    const logits = await device.scope(() =>
      noGrad(() => slice(model(device.tensor([1, seen.length], seen)), 1, seen.length - 1, 1).read()),
    );
    written.push(sample(logits as Float32Array));
  }
  return written
    .slice(begin.length)
    .map((code) => letters[code])
    .join('')
    .replaceAll('\n', ' / ');
}

/** Draws from softmax(2 logits): sharper than the model itself, which makes words likelier. */
function sample(logits: Float32Array): number {
  const likelihood = logits.map((logit) => Math.exp(2 * logit));
  let rest = (random.words(1)[0]! / 2 ** 32) * likelihood.reduce((a, b) => a + b, 0);
  let code = 0;
  while (code < likelihood.length - 1 && rest >= likelihood[code]!) rest -= likelihood[code++]!;
  return code;
}

function report(step: number, loss: number): void {
  const seconds = (performance.now() - start) / 1000;
  const bar = '#'.repeat(Math.max(1, Math.round(12 * loss)));
  console.log(
    `step ${String(step).padStart(4)}  ${seconds.toFixed(1).padStart(6)} s  loss ${loss.toFixed(3)}  ${bar}`,
  );
}

function readFlags(): { steps: number; seed: number; profile: boolean } {
  const options = {
    steps: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    profile: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const count = (name: 'steps' | 'seed', least: number) => {
      const value = Number(values[name]);
      if (!Number.isSafeInteger(value) || value < least) {
        throw new Error(`--${name}: expected a whole number from ${least} on, got '${values[name]}'`);
      }
      return value;
    };
    return { steps: count('steps', 1), seed: count('seed', 0), profile: values.profile };
  } catch (error) {
    console.error((error as Error).message.split('\n')[0]);
    process.exit(1);
  }
}
