// Pretrains the tiny CLIP of the embedded default on a knowledge base's texts and images and on WordNet's senses outside of
// it, and writes it in Hugging Face's layout. Of the data set it takes the entities only: no mention of any split is
// looked at.

import { mkdir, rmdir } from 'node:fs/promises';
import { createTokenizer } from '../../data/text/tokenizer.ts';
import { backward } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { Clip, type ClipConfig } from '../../model/clip/clip.ts';
import { saveClip, type Vocabulary } from '../../model/clip/save-clip.ts';
import { initialise } from '../../model/initialise.ts';
import type { Built } from '../../model/parameter-source.ts';
import { checkConfig } from '../config/check.ts';
import type { Hooks } from '../hooks.ts';
import { checkLoss } from '../loss-log.ts';
import { MetricsLog } from '../metrics-log.ts';
import { RandomStream } from '../random-stream.ts';
import { decay } from '../weight-decay.ts';
import { ClipBatches } from './clip-batches.ts';
import { readClipData, trainVocabulary } from './clip-data.ts';
import { clipLoss, type LossOptions } from './clip-loss.ts';
import { type ClipPretraining, checkClipFields, clipSchema } from './clip-schema.ts';

/** What a CLIP was pretrained on, and how large it is. */
export interface PretrainedClip {
  folder: string;
  entities: number;
  images: number;
  /** Words of WordNet with several senses outside of the knowledge base. */
  words: number;
  tokens: number;
  parameters: number;
}

/** Pretrains on a device and writes `out.folder`. Throws ConfigError, and one line for data that is missing. */
export async function pretrainClip(
  config: ClipPretraining,
  device: Device,
  hooks: Hooks = {},
): Promise<PretrainedClip> {
  const checked = checkConfig(clipSchema, config);
  checkClipFields(checked);
  const { out, training, metrics } = checked;
  const warn = (line: string) => hooks.onWarning?.(line);
  const data = await readClipData(
    checked.data.folder,
    checked.wordnet.folder,
    checked.vision.imageSize,
    warn,
  );
  const removeFolder = await reserve(out.folder);
  const log = metrics.file === '' ? null : new MetricsLog(metrics.file, 0);
  const draws = new RandomStream(training.seed);
  const vocabulary = trainVocabulary(data, checked.text.vocabulary);
  const shape = shapeOf(checked, Object.keys(vocabulary.vocab).length);
  const clip = initialise(device, new Random(training.seed), (p) => new Clip(p, shape));
  const { tensors } = clip;
  try {
    const batches = new ClipBatches(data, batchOptions(checked), draws);
    await train(device, clip, batches, vocabulary, checked, log, hooks);
    await saveClip(out.folder, shape, tensors, vocabulary);
  } catch (error) {
    await removeFolder();
    throw error;
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
  return {
    folder: out.folder,
    entities: data.entities.length,
    images: data.pictures.length,
    words: data.homonyms.length,
    tokens: shape.text.vocabulary,
    parameters: [...tensors.values()].reduce((sum, { size }) => sum + size, 0),
  };
}

/** Makes the folder now, so that one that cannot be made is refused before the training; and what undoes that. */
async function reserve(folder: string): Promise<() => Promise<void>> {
  const made = await mkdir(folder, { recursive: true });
  return async () => {
    if (made !== undefined) await rmdir(folder).catch(() => {});
  };
}

async function train(
  device: Device,
  { module: clip, tensors }: Built<Clip>,
  batches: ClipBatches,
  { vocab, merges }: Vocabulary,
  { training, loss: lossFields }: ClipPretraining,
  log: MetricsLog | null,
  { signal, onProgress }: Hooks,
): Promise<void> {
  const { learningRate, beta1, beta2, steps, weightDecay, clipNorm } = training;
  const adam = new Adam([...tensors.values()], { lr: learningRate, beta1, beta2 });
  const matrices = [...tensors.values()].filter(({ rank }) => rank >= 2);
  const tokenizer = createTokenizer(vocab as Record<string, number>, merges);
  const options: LossOptions = {
    weights: { textImage: 1, imageViews: 1, textViews: 1, wordNet: lossFields.wordNetWeight },
    maxLogitScale: lossFields.maxLogitScale,
  };
  let batch = batches.next();
  for (let step = 1; step <= steps; step++) {
    signal?.throwIfAborted();
    const rate = learningRate * factorAt(step, training);
    const pending = device.scope(() => {
      const { loss, parts } = clipLoss(clip, batch, tokenizer.encodeBatch, options);
      const gradients = backward(loss);
      decay(matrices, 1 - rate * weightDecay);
      adam.step(gradients, { lr: rate, clipNorm });
      return readAll({ loss, ...parts });
    });
    const examples = batch.texts.length + batch.images;
    // Made while the device works.
    if (step < steps) batch = batches.next();
    const values = await pending;
    const loss = values['loss']!;
    checkLoss(step, loss);
    log?.add({ step, ...values, lr: rate });
    onProgress?.({ task: 'training', done: step, total: steps, loss, examples });
  }
  tokenizer.free();
  const scales = await device.read<'f32'>(tensors.get('logit_scale')!);
  clampLogitScale(device, tensors, scales, lossFields.maxLogitScale);
  adam.release();
}

/** Part of the highest learning rate in a step from 1 on: a linear rise, then half a cosine down to 0. */
function factorAt(step: number, { steps, warmupSteps }: ClipPretraining['training']): number {
  if (step <= warmupSteps) return step / warmupSteps;
  return 0.5 * (1 + Math.cos((Math.PI * (step - warmupSteps)) / (steps - warmupSteps + 1)));
}

/** The loss never sees more than the limit; the file must not either. */
function clampLogitScale(
  device: Device,
  tensors: ReadonlyMap<string, Tensor>,
  [value = 0]: Float32Array,
  maxLogitScale: number,
): void {
  device.write(tensors.get('logit_scale')!, Float32Array.of(Math.min(value, Math.log(maxLogitScale))));
}

async function readAll(scalars: Readonly<Record<string, Tensor>>): Promise<Record<string, number>> {
  const reads = Object.entries(scalars).map(async ([name, scalar]) => [name, await scalar.item()] as const);
  return Object.fromEntries(await Promise.all(reads));
}

function shapeOf({ text, vision, projection }: ClipPretraining, vocabulary: number): ClipConfig {
  const stack = ({ width, heads, layers }: { width: number; heads: number; layers: number }) => ({
    width,
    hidden: 4 * width,
    heads,
    layers,
  });
  return {
    text: { ...stack(text), vocabulary, maxLength: text.length },
    vision: { ...stack(vision), imageSize: vision.imageSize, patchSize: vision.patchSize },
    projection: projection.width,
  };
}

function batchOptions({ batch, views }: ClipPretraining) {
  const { zoom, shift, rotation, colour } = views;
  return {
    textImage: batch.textImagePairs,
    imageViews: batch.imagePairs,
    textViews: batch.textPairs,
    wordNet: batch.wordNetPairs,
    wordDropout: views.wordDropout,
    augmentation: { scale: [1 / (1 + zoom), 1 + zoom] as const, shift, rotation, colour },
  };
}
