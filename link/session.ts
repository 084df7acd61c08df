// What every training and every piece of work on a run stands on, opened once: the device, the data set, the tokenized
// texts, the CLIP. Decoded images, features and compiled kernels stay with it, so that what comes next finds them.

import { createHash } from 'node:crypto';
import { type Dataset, readDataset } from '../data/dataset.ts';
import { PixelSource } from '../data/images/pixel-source.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import { type Corpus, imageStamps, prepareCorpus } from '../encoding/samples.ts';
import type { Device } from '../engine/device.ts';
import { hashOf } from '../files/fingerprint.ts';
import { type LoadedClip, loadClip } from '../model/clip/load-clip.ts';
import {
  type BaseOptions,
  type ModelBase,
  type OpenedBase,
  openModelBase,
  openTokenizer,
} from './model-base.ts';

export interface Session {
  device: Device;
  clip: LoadedClip;
  tokenizerHash: string;
  encoders: ModelBase['encoders'];
  dataset: Dataset;
  corpus: Corpus;
  features: FeatureOptions;
  /** The data set in one line. */
  description: string;
  /** Hash of CLIP's files and of all token ids and answers: what checkpoints belong to. */
  inputs: string;
  /** Releases the CLIP and destroys the device, unless it was handed in. */
  close(): void;
}

export interface SessionOptions extends BaseOptions {
  /** Folder of the data set. */
  data: string;
  /** Folder of frozen encoders' features; '' keeps none. */
  cache: string;
  /** Told of files of the cache that are damaged and made again, in a line. */
  onWarning?: (line: string) => void;
}

/** Opens a data set and a CLIP. Throws one line for what is missing or damaged; nothing stays open then. */
export async function openSession({ data, cache, onWarning, ...where }: SessionOptions): Promise<Session> {
  // Read before a device is opened: what is wrong shows at once.
  const dataset = await readDataset(data);
  const base = await openModelBase(where);
  try {
    return await sessionOn(base, dataset, { cache, onWarning });
  } catch (error) {
    base.close();
    throw error;
  }
}

/** What checkpoints of trainings on a session are made from, by name: hashes, the images' of their contents. */
export async function originOf({
  inputs,
  tokenizerHash,
  features,
  corpus: { entities, mentions, files },
}: Session): Promise<Record<'inputs' | 'clip' | 'tokenizer' | 'images', string>> {
  const numbers = new Set([entities, mentions.train, mentions.dev].flatMap(({ images }) => images.flat()));
  const stamps = await imageStamps([...numbers].map((image) => files[image]!));
  return { inputs, clip: features.clipHash, tokenizer: tokenizerHash, images: hashOf(stamps) };
}

/** Hash of all that a data set has, the contents of images included, and of a CLIP's hash. Throws InputError. */
export async function inputsFingerprint(
  { entities, splits, unlinkable }: Dataset,
  clipHash: string,
): Promise<string> {
  const mentions = [...Object.values(splits), ...Object.values(unlinkable)].flat();
  const images = [...entities.flatMap(({ images }) => images), ...mentions.map(({ image }) => image)];
  const stamps = await imageStamps(images);
  return hashOf([JSON.stringify([entities, splits, unlinkable]), clipHash, ...stamps]);
}

/**
 * The same session on a device of its own, for work beside it: on a CPU the work of one device waits for each of its kernels,
 * and leaves a core idle now and then.
 */
export async function besideSession(session: Session): Promise<Session> {
  const { device, clip, close } = await openModelBase({ clip: session.clip.folder });
  return { ...session, device, clip, close };
}

/** The same session on a CLIP of its own that is trained; what CLIP becomes then is no use to another run. */
export async function withTrainableClip(session: Session): Promise<Session> {
  const clip = await loadClip(session.device, session.clip.folder, { trainable: true });
  const close = () => {
    for (const tensor of clip.tensors.values()) tensor.release();
  };
  return { ...session, clip, features: { ...session.features, cache: '' }, close };
}

async function sessionOn(
  base: OpenedBase,
  dataset: Dataset,
  kept: Pick<FeatureOptions, 'cache' | 'onWarning'>,
): Promise<Session> {
  const { clip, features } = base;
  const tokenizer = await openTokenizer(clip);
  const corpus = prepareCorpus(dataset, tokenizer, clip.config.text.maxLength);
  tokenizer.free();
  const source = new PixelSource(corpus.files, features.source.how);
  const { train, dev, test } = dataset.splits;
  const nil = dataset.skippedNil > 0 ? `, ${dataset.skippedNil} skipped for an answer "nil"` : '';
  return {
    ...base,
    dataset,
    corpus,
    features: { source, files: corpus.files, clipHash: features.clipHash, ...kept },
    description:
      `${dataset.name}: ${dataset.entities.length} entities, ` +
      `${train.length} / ${dev.length} / ${test.length} mentions to train, validate, test${nil}`,
    inputs: inputsHash(features.clipHash, corpus),
  };
}

function inputsHash(clipHash: string, { entities, mentions, gold }: Corpus): string {
  const hash = createHash('sha256').update(clipHash);
  hash.update(entities.tokens.ids).update(JSON.stringify(entities.images));
  for (const split of ['train', 'dev'] as const) {
    hash
      .update(mentions[split].tokens.ids)
      .update(gold[split])
      .update(JSON.stringify(mentions[split].images));
  }
  return hash.digest('hex').slice(0, 16);
}
