// What every script starts with: the data set, the tokenizer and the CLIP, opened and described.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dataset, readDataset } from '../data/dataset.ts';
import { PixelSource } from '../data/images/pixel-source.ts';
import { clipPreprocessing } from '../data/images/preprocess.ts';
import { loadTokenizer } from '../data/text/tokenizer-files.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import { type Corpus, prepareCorpus } from '../encoding/samples.ts';
import type { Device } from '../engine/device.ts';
import { WeightsError } from '../files/errors.ts';
import { type LoadedClip, loadClip } from '../model/clip/load-clip.ts';
import type { CommonOptions } from '../train/run-flags.ts';

export interface Session {
  device: Device;
  clip: LoadedClip;
  dataset: Dataset;
  corpus: Corpus;
  features: FeatureOptions;
  /** The data set in one line. */
  description: string;
  /** Hash of CLIP's files and of all token ids and answers: what checkpoints belong to. */
  inputs: string;
}

/** Opens what the flags name. Throws one line for what is missing or damaged. */
export async function openSession(
  device: Device,
  options: CommonOptions,
  trainClip = false,
): Promise<Session> {
  const dataset = await readDataset(options.data);
  const clip = await loadClip(device, options.clip, { trainable: trainClip });
  const tokenizer = await loadTokenizer(options.clip);
  if (tokenizer.vocabularySize !== clip.config.text.vocabulary) {
    throw new WeightsError(
      `${options.clip}: vocab.json has ${tokenizer.vocabularySize} tokens, config.json ${clip.config.text.vocabulary}`,
    );
  }
  const corpus = prepareCorpus(dataset, tokenizer, clip.config.text.maxLength);
  tokenizer.free();
  const clipHash = await hashFolder(options.clip);
  const source = new PixelSource(corpus.files, clipPreprocessing(clip.config.vision.imageSize));
  const { train, dev, test } = dataset.splits;
  const nil = dataset.skippedNil > 0 ? `, ${dataset.skippedNil} skipped for an answer "nil"` : '';
  return {
    device,
    clip,
    dataset,
    corpus,
    // What CLIP becomes in training is no use to another run.
    features: { source, files: corpus.files, cache: trainClip ? '' : options.cache, clipHash },
    description:
      `${dataset.name}: ${dataset.entities.length} entities, ` +
      `${train.length} / ${dev.length} / ${test.length} mentions to train, validate, test${nil}`,
    inputs: inputsHash(clipHash, corpus),
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

/** Hash of a model's weights and configuration. */
async function hashFolder(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const names = (await readdir(folder)).filter(
    (name) => name === 'config.json' || name.endsWith('.safetensors'),
  );
  for (const name of names.sort()) {
    hash.update(name);
    for await (const bytes of createReadStream(join(folder, name))) hash.update(bytes as Uint8Array);
  }
  return hash.digest('hex');
}
