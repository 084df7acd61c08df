// Pretrains the tiny ALBEF of the embedded default and writes it with the names of the released checkpoints: texts of the
// knowledge base's entities and random views of their images are told apart and matched. The text encoder begins as the lower
// layers of a tiny BERT, whose vocabulary it has. No mention of any split is looked at, but for the figures on dev.

import { type Dataset, readDataset } from '../../data/dataset.ts';
import { entityTexts } from '../../data/entity-mention.ts';
import { problemLines } from '../../data/images/image-loader.ts';
import { albefPreprocessing } from '../../data/images/preprocess.ts';
import { packPair } from '../../data/text/wordpiece/packing.ts';
import type { WordPiece } from '../../data/text/wordpiece/wordpiece.ts';
import { loadWordPiece } from '../../data/text/wordpiece/wordpiece-files.ts';
import type { Device } from '../../engine/device.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { InputError, WeightsError } from '../../files/errors.ts';
import { hashOf } from '../../files/fingerprint.ts';
import type { AlbefConfig } from '../../model/albef/albef.ts';
import { loadAlbef } from '../../model/albef/load-albef.ts';
import { saveAlbef } from '../../model/albef/save-albef.ts';
import { type LoadedBert, loadBert } from '../../model/bert/load-bert.ts';
import { type PackedText, packedBatch } from '../../model/bert/packed-texts.ts';
import { initialise } from '../../model/initialise.ts';
import type { Built, ParameterSpec, Start } from '../../model/parameter-source.ts';
import type { Metrics } from '../../ranking/metrics.ts';
import { augmentationOf, viewsOf } from '../clip-pretraining/image/augment.ts';
import { devPictures, type Picture, readPictures } from '../clip-pretraining/image/pictures.ts';
import { type PhaseStep, trainPhase, type Workplace } from '../clip-pretraining/phase.ts';
import { checkConfig, fieldError } from '../config/check.ts';
import type { TrainingHooks } from '../hooks.ts';
import { Cycle, RandomStream } from '../random-stream.ts';
import { reserveFolder } from '../reserve-folder.ts';
import { type AlbefPretraining, albefSchema, checkAlbefFields } from './albef-schema.ts';
import { judgePairs } from './judge-pairs.ts';
import { AlbefStudent, drawNoise, pairLosses } from './pair-losses.ts';

/** What an ALBEF was pretrained on, how large it is, and how well images find their entity's text by the contrastive halves. */
export interface PretrainedAlbef {
  folder: string;
  entities: number;
  images: number;
  parameters: number;
  /** Dev's mentions' pictures among the texts of entities with images; those of the knowledge base where dev has none. */
  image: Metrics;
}

/** What the student learns from: texts by entity, of those that have images. */
interface PairData {
  texts: ReadonlyMap<number, PackedText>;
  pictures: readonly Picture[];
}

/**
 * Pretrains on a device and writes `out.folder`; checkpoints lie in `run.folder`, from which a call with `resume` goes on.
 * Throws ConfigError for fields, InputError for data that is missing, WeightsError for the BERT, and what `fit` throws.
 */
export async function pretrainAlbef(
  config: AlbefPretraining,
  device: Device,
  hooks: TrainingHooks = {},
): Promise<PretrainedAlbef> {
  const checked = checkConfig(albefSchema, config);
  checkAlbefFields(checked);
  const { data: about, out } = checked;
  const dataset = await readDataset(about.folder);
  const tokenizer = await loadWordPiece(checked.bert.folder);
  const bert = await loadBert(device, checked.bert.folder);
  try {
    const shape = shapeOf(checked, bert, tokenizer);
    const { data, asked } = await readPairs(checked, dataset, tokenizer, hooks);
    const removeFolder = await reserveFolder(out.folder);
    try {
      await train(checked, device, hooks, shape, bert, data, asked, tokenizer.tokens);
    } catch (error) {
      await removeFolder();
      throw error;
    }
    // Judged is what was written.
    const written = await loadAlbef(device, out.folder, { matching: true });
    try {
      return {
        folder: out.folder,
        entities: data.texts.size,
        images: data.pictures.length,
        parameters: [...written.tensors.values()].reduce((sum, { size }) => sum + size, 0),
        image: await judgePairs(device, written.module, data.texts, asked),
      };
    } finally {
      for (const tensor of written.tensors.values()) tensor.release();
    }
  } finally {
    for (const tensor of bert.tensors.values()) tensor.release();
  }
}

async function readPairs(
  { data: { folder }, text, vision }: AlbefPretraining,
  dataset: Dataset,
  tokenizer: WordPiece,
  hooks: TrainingHooks,
): Promise<{ data: PairData; asked: readonly Picture[] }> {
  const how = albefPreprocessing(vision.imageSize);
  const { pictures, problems, failed } = await readPictures(
    dataset.entities.map(({ images }) => images),
    how,
  );
  for (const line of problemLines(problems, folder, failed)) hooks.onWarning?.(line);
  const texts = new Map<number, PackedText>();
  for (const { entity } of pictures) {
    const { name, context } = entityTexts(dataset.entities[entity]!);
    texts.set(entity, packPair(tokenizer, tokenizer.encode(name), tokenizer.encode(context), text.length));
  }
  if (texts.size < 2) {
    throw new InputError(`${folder}: ${texts.size} entities with images, expected 2 at least`);
  }
  const ofDev = await devPictures(dataset, pictures, how);
  return { data: { texts, pictures }, asked: ofDev.length > 0 ? ofDev : pictures };
}

async function train(
  config: AlbefPretraining,
  device: Device,
  hooks: TrainingHooks,
  shape: AlbefConfig,
  bert: LoadedBert,
  data: PairData,
  asked: readonly Picture[],
  tokens: readonly string[],
): Promise<void> {
  const { seed, checkpointSteps } = config.training;
  const place: Workplace = { device, folder: config.run.folder, seed, checkpointSteps, hooks };
  const { module, tensors } = beginAlbef(device, shape, bert, seed);
  try {
    await trainPhase(place, {
      name: 'pairs',
      settings: config.contrast,
      schedule: 'cosine',
      adam: { beta2: 0.98, eps: 1e-6 },
      parameters: tensors,
      schema: albefSchema,
      config,
      madeFrom: {
        texts: hashOf([JSON.stringify([...data.texts])]),
        pictures: hashOf(data.pictures.map(({ pixels }) => pixels)),
        start: hashOf(await Promise.all([...bert.tensors.values()].map((one) => device.read<'f32'>(one)))),
      },
      batches: () => pairSteps(module, device, config, data),
      validate: () => judgePairs(device, module.albef, data.texts, asked),
    });
    await saveAlbef(config.out.folder, shape, tensors, tokens);
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
}

/** A fresh ALBEF whose embeddings and lower layers are those of the BERT. */
function beginAlbef(device: Device, shape: AlbefConfig, bert: LoadedBert, seed: number): Built<AlbefStudent> {
  const built = initialise(device, new Random(seed), (p) => new AlbefStudent(p, shape), startOf);
  const own = (name: string) => {
    const layer = /^encoder\.layer\.(\d+)\./.exec(name)?.[1];
    return layer === undefined || Number(layer) < shape.fusionLayer;
  };
  for (const [name, tensor] of bert.tensors) {
    if (own(name)) device.copy(tensor, built.tensors.get(`text_encoder.${name}`) as Tensor);
  }
  return built;
}

/** The width that deviations of 0.02 are made for. */
const usualWidth = 768;

/** Layers that are narrower than usual begin with larger weights, so that signals get through as they do in wide ones. */
function startOf(name: string, { shape, start }: ParameterSpec): Start {
  if (!('deviation' in start) || shape.length !== 2 || name.includes('embeddings')) return start;
  return { deviation: start.deviation * Math.sqrt(usualWidth / shape[1]!) };
}

/** The batches of the training with their losses, without an end. */
function* pairSteps(
  student: AlbefStudent,
  device: Device,
  { contrast, vision, views, loss, training }: AlbefPretraining,
  { texts, pictures }: PairData,
): Generator<PhaseStep, never> {
  const { imageSize } = vision;
  const augmentation = augmentationOf(views);
  const draws = new RandomStream(training.seed);
  const cycle = new Cycle([...pictures.keys()], draws);
  while (true) {
    const chosen = cycle.fill(contrast.pairs, () => 1).map((i) => pictures[i]!);
    const [viewSeed, noiseSeed] = [draws.below(2 ** 32), draws.below(2 ** 32)];
    const entities = chosen.map(({ entity }) => entity);
    // Of one entity alone there is nothing that does not match.
    if (new Set(entities).size < 2) continue;
    yield {
      examples: chosen.length,
      loss: () => {
        const all = chosen.map(({ pixels }) => pixels);
        const seen = viewsOf(all, imageSize, augmentation, new RandomStream(viewSeed));
        const batch = {
          texts: packedBatch(entities.map((entity) => texts.get(entity)!)),
          pixels: device.tensor([all.length, 3, imageSize, imageSize], seen, { name: 'pixels' }),
          entities,
        };
        const noise = drawNoise(device, all.length, new Random(noiseSeed));
        return pairLosses(student, batch, noise, loss.maxLogitScale).total;
      },
    };
  }
}

/** As wide as the BERT where it reads text. Throws ConfigError for what that cannot give. */
function shapeOf(
  { text, fusion, vision, projection }: AlbefPretraining,
  { config: bert }: LoadedBert,
  { tokens }: WordPiece,
): AlbefConfig {
  if (text.layers > bert.layers) {
    throw fieldError('text.layers', `at most the ${bert.layers} layers of the BERT`, text.layers);
  }
  if (text.length > bert.maxLength) {
    throw fieldError('text.length', `at most the ${bert.maxLength} tokens of the BERT`, text.length);
  }
  if (tokens.length !== bert.vocabulary) {
    throw new WeightsError(
      `the BERT's vocabulary has ${tokens.length} tokens, its config.json ${bert.vocabulary}`,
    );
  }
  return {
    text: { ...bert, layers: text.layers + fusion.layers },
    fusionLayer: text.layers,
    vision: { ...vision, hidden: 4 * vision.width },
    projection: projection.width,
  };
}
