// Pretrains the tiny CLIP of the embedded default and writes it in Hugging Face's layout. Its texts are distilled from a
// sentence encoder: the teacher's vectors are mapped to the common space, a bag of words learns them, a transformer begins
// as that bag and goes on; its images are distilled into the same space and into plain pixels. Of dev and test only the
// entities are looked at, but for the figures that it reports on dev.

import { type Dataset, readDataset } from '../../data/dataset.ts';
import { problemLines } from '../../data/images/image-loader.ts';
import { clipPreprocessing } from '../../data/images/preprocess.ts';
import { readMarkedSentences } from '../../data/openconcepts-builder/marked-sentences.ts';
import { trainBpe } from '../../data/text/bpe-trainer.ts';
import { createTokenizer } from '../../data/text/tokenizer.ts';
import { type Tokens, tokenizeTexts } from '../../encoding/samples.ts';
import type { Device } from '../../engine/device.ts';
import { Random } from '../../engine/random.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { Clip, type ClipConfig, type ClipImageEncoder } from '../../model/clip/clip.ts';
import { loadClip } from '../../model/clip/load-clip.ts';
import { saveClip, type Vocabulary } from '../../model/clip/save-clip.ts';
import { initialise } from '../../model/initialise.ts';
import type { Metrics } from '../../ranking/metrics.ts';
import { checkConfig } from '../config/check.ts';
import type { TrainingHooks } from '../hooks.ts';
import { RandomStream } from '../random-stream.ts';
import { reserveFolder } from '../reserve-folder.ts';
import { type ClipPretraining, checkClipFields, clipSchema } from './clip-schema.ts';
import { trainVision } from './image/image-student.ts';
import { devPictures, judgePictures, readPictures } from './image/pictures.ts';
import type { Workplace } from './phase.ts';
import { pickRows, type Rows } from './principal-axes.ts';
import { applyMap, trainTeacherMap } from './teacher-map.ts';
import { teacherVectors } from './teacher-vectors.ts';
import { type Corpus, pretrainingCorpus } from './text/corpus.ts';
import { type Encode, encodeTexts, trainBag, trainTransformer } from './text/text-student.ts';
import { readWordNets } from './text/word-nets.ts';
import { devTexts, type ZeroShot, zeroShot } from './text/zero-shot.ts';
import type { Weights } from './weights.ts';

/** What a CLIP was pretrained on, how large it is, and how well it finds dev's entities untrained. */
export interface PretrainedClip {
  folder: string;
  texts: number;
  images: number;
  tokens: number;
  parameters: number;
  /** By text alone. */
  text: ZeroShot;
  /** Pictures of dev's mentions among those of the knowledge base; null where there are none. */
  image: Metrics | null;
}

/** What gives texts' vectors. */
export type Teacher = typeof teacherVectors;

/**
 * Pretrains on a device and writes `out.folder`; checkpoints of every phase lie in `run.folder`, from which a call with
 * `resume` goes on. Throws ConfigError for fields, InputError for data that is missing, and what `fit` throws.
 */
export async function pretrainClip(
  config: ClipPretraining,
  device: Device,
  hooks: TrainingHooks = {},
  teacher: Teacher = teacherVectors,
): Promise<PretrainedClip> {
  const checked = checkConfig(clipSchema, config);
  checkClipFields(checked);
  const dataset = await readDataset(checked.data.folder);
  const wordNets = readWordNets(checked.wordnet.folder);
  const sentences =
    checked.corpus.sentences === '' ? [] : await readMarkedSentences(checked.corpus.sentences);
  const { texts: limit, contextWords, mentions } = checked.corpus;
  const corpus = pretrainingCorpus(
    dataset,
    wordNets,
    { limit, contextWords, sentences, mentions },
    new RandomStream(checked.corpus.seed),
  );
  const removeFolder = await reserveFolder(checked.out.folder);
  try {
    return await pretrain(checked, device, teacher, hooks, dataset, corpus);
  } catch (error) {
    await removeFolder();
    throw error;
  }
}

async function pretrain(
  config: ClipPretraining,
  device: Device,
  teacher: Teacher,
  hooks: TrainingHooks,
  dataset: Dataset,
  corpus: Corpus,
): Promise<PretrainedClip> {
  const { seed, checkpointSteps } = config.training;
  const place: Workplace = { device, folder: config.run.folder, seed, checkpointSteps, hooks };
  const vocabulary = trainBpe(corpus.texts, { vocabularySize: config.text.vocabulary });
  const tokenizer = createTokenizer(vocabulary.vocab, vocabulary.merges);
  const dev = devTexts(dataset.entities, dataset.splits.dev);

  const taught = async (texts: readonly string[]): Promise<Rows> => {
    const { rows, width } = await teacher(device, texts, {
      model: config.teacher.folder,
      cache: config.teacher.cache,
      onProgress: (done, total) => hooks.onProgress?.({ task: "the teacher's vectors", done, total }),
      ...(hooks.signal ? { signal: hooks.signal } : {}),
    });
    return { values: rows, width };
  };
  const vectors = await taught(corpus.texts);
  const words = await taught(Object.keys(vocabulary.vocab).map((token) => token.replace(/<\/w>$/, '')));
  const [devMentions, devEntities] = [await taught(dev.mentions), await taught(dev.entities)];

  const madeFrom = { corpus: hashOf(corpus.texts), teacher: hashOf([vectors.values, words.values]) };
  const map = await trainTeacherMap(place, config, vectors, corpus, madeFrom, async (map) => {
    const of = (rows: Rows) => applyMap(device, map, rows);
    return (await zeroShot(device, dev, await of(devMentions), await of(devEntities))).all;
  });
  const targets = await applyMap(device, map, vectors);
  const tokenize = (texts: string[]) => tokenizeTexts(tokenizer, texts, config.text.length);
  const tokens = tokenize(corpus.texts);
  const data = { corpus, tokens, targets, words, bosId: tokenizer.bosId, eosId: tokenizer.eosId };
  const ofText = { ...madeFrom, targets: hashOf([targets.values]) };

  const shape = shapeOf(config, tokenizer.vocabularySize);
  const devTokens = { mentions: tokenize(dev.mentions), entities: tokenize(dev.entities) };
  const judgeText = async (encode: Encode) => {
    const embeds = (texts: Tokens) => encodeTexts(device, encode, texts);
    return zeroShot(device, dev, await embeds(devTokens.mentions), await embeds(devTokens.entities));
  };
  const validateText = async (encode: Encode) => (await judgeText(encode)).all;
  const bag = await trainBag(place, config, data, ofText, validateText);
  const text = await trainTransformer(place, config, shape, bag, data, ofText, validateText);

  const how = clipPreprocessing(config.vision.imageSize);
  const { pictures, problems, failed } = await readPictures(
    dataset.entities.map(({ images }) => images),
    how,
  );
  for (const line of problemLines(problems, config.data.folder, failed)) hooks.onWarning?.(line);
  const devImages = await devPictures(dataset, pictures, how);
  const ofVision = { targets: ofText.targets, pictures: hashOf(pictures.map(({ pixels }) => pixels)) };
  const entityTargets = { values: pickRows(targets, corpus.entities), width: targets.width };
  // Where dev has no pictures, those of the knowledge base find themselves.
  const asked = devImages.length > 0 ? devImages : pictures;
  const judgeImages = (encoder: ClipImageEncoder) => judgePictures(device, encoder, pictures, asked);
  const vision =
    pictures.length < 2
      ? new Map()
      : await trainVision(place, config, shape, pictures, entityTargets, ofVision, judgeImages);

  await write(device, config, shape, new Map([...text, ...vision]), {
    ...vocabulary,
    bosId: tokenizer.bosId,
    eosId: tokenizer.eosId,
  });
  tokenizer.free();
  // Judged is what was written.
  const { module: clip, tensors } = await loadClip(device, config.out.folder);
  try {
    return {
      folder: config.out.folder,
      texts: corpus.texts.length,
      images: pictures.length,
      tokens: shape.text.vocabulary,
      parameters: [...tensors.values()].reduce((sum, { size }) => sum + size, 0),
      text: await judgeText((batch) => clip.text.encode(batch).embeds),
      image: devImages.length > 0 ? await judgeImages(clip.vision) : null,
    };
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
}

/** Writes the whole CLIP; a part without weights, a vision encoder without pictures, stays as it begins. */
async function write(
  device: Device,
  { out, loss, training }: ClipPretraining,
  shape: ClipConfig,
  weights: Weights,
  vocabulary: Vocabulary,
): Promise<void> {
  const { tensors } = initialise(device, new Random(training.seed), (p) => new Clip(p, shape));
  try {
    for (const [name, tensor] of tensors) {
      const values = weights.get(name);
      // The loss never sees more than the limit; the file must not either.
      const limit = name === 'logit_scale' ? Math.log(loss.maxLogitScale) : Number.POSITIVE_INFINITY;
      if (values)
        device.write(
          tensor,
          values.map((value) => Math.min(value, limit)),
        );
    }
    await saveClip(out.folder, shape, tensors, vocabulary);
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
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
