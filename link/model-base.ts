// What a trained model is loaded onto: a device and a CLIP. A session has them, and a data set besides.

import { PixelSource } from '../data/images/pixel-source.ts';
import { clipPreprocessing } from '../data/images/preprocess.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { loadTokenizer } from '../data/text/tokenizer-files.ts';
import type { FeatureOptions } from '../encoding/features.ts';
import { type Device, type DeviceOptions, openDevice } from '../engine/device.ts';
import { contentStamp } from '../files/content-stamp.ts';
import { fileError, WeightsError } from '../files/errors.ts';
import { hashOf } from '../files/fingerprint.ts';
import { isUrl, locate } from '../files/locate.ts';
import type { readAbout } from '../model/checkpoint.ts';
import { type LoadedClip, loadClip } from '../model/clip/load-clip.ts';
import type { EncoderFolders } from './baselines/own-encoders.ts';

export interface ModelBase {
  device: Device;
  clip: LoadedClip;
  /** Where the encoders are that baselines have of their own. */
  encoders: Partial<EncoderFolders>;
  features: Pick<FeatureOptions, 'clipHash'>;
  /** Hash of the vocabulary that lies beside CLIP; '' at an address. */
  tokenizerHash: string;
  /** Hash of CLIP and data set that checkpoints must be made from; null where there is no data set: then CLIP's alone counts. */
  inputs: string | null;
}

/** A base that was opened by itself. */
export interface OpenedBase extends ModelBase {
  /** How images are seen; of images of its own it has none, and keeps no features. */
  features: FeatureOptions;
  /** Releases the CLIP and destroys the device, unless it was handed in. */
  close(): void;
}

export interface BaseOptions {
  /** Folder or address of the CLIP, in Hugging Face's layout. */
  clip: string;
  /** Folders of what baselines begin from. Default: none. */
  encoders?: Partial<EncoderFolders>;
  /** A device that is open already; it stays open. Default: one of its own. */
  device?: Device;
  /** How that one is opened. */
  deviceOptions?: DeviceOptions;
}

/** Opens a CLIP on a device, without a data set. Throws one line for what is missing or damaged; nothing stays open then. */
export async function openModelBase(options: BaseOptions): Promise<OpenedBase> {
  const device = options.device ?? (await openDevice(options.deviceOptions));
  try {
    const clip = await loadClip(device, options.clip);
    // What a server gives is not read a second time for its hash.
    const clipHash = isUrl(options.clip) ? '' : await hashFolder(options.clip);
    const tokenizerHash = isUrl(options.clip) ? '' : await hashTokenizer(options.clip);
    const source = new PixelSource([], clipPreprocessing(clip.config.vision.imageSize));
    return {
      device,
      clip,
      encoders: options.encoders ?? {},
      features: { source, files: [], cache: null, clipHash },
      tokenizerHash,
      inputs: null,
      close() {
        for (const tensor of clip.tensors.values()) tensor.release();
        if (!options.device) device.destroy();
      },
    };
  } catch (error) {
    if (!options.device) device.destroy();
    throw error;
  }
}

/** The tokenizer that lies beside a CLIP, to be freed. Throws WeightsError for one of another CLIP. */
export async function openTokenizer({ folder, config }: LoadedClip): Promise<Tokenizer> {
  const tokenizer = await loadTokenizer(folder);
  const { vocabulary } = config.text;
  if (tokenizer.vocabularySize === vocabulary) return tokenizer;
  tokenizer.free();
  throw new WeightsError(
    `${folder}: vocab.json has ${tokenizer.vocabularySize} tokens, config.json ${vocabulary}`,
  );
}

/** Throws WeightsError for a checkpoint that was made from another CLIP or, where there is one, another data set. */
export function checkInputs(
  path: string,
  { madeFrom }: Pick<Awaited<ReturnType<typeof readAbout>>, 'madeFrom'>,
  { features, tokenizerHash, inputs }: Pick<ModelBase, 'features' | 'tokenizerHash' | 'inputs'>,
): void {
  // A CLIP from a server has no hash: what is served together is taken to belong together.
  if (inputs === null && features.clipHash === '') return;
  const isOther = inputs === null ? madeFrom['clip'] !== features.clipHash : madeFrom['inputs'] !== inputs;
  // Checkpoints of before it was written down have none.
  const { tokenizer = tokenizerHash } = madeFrom;
  if (tokenizerHash !== '' && tokenizer !== tokenizerHash) {
    throw new WeightsError(`${path}: was trained with another vocabulary than lies beside the CLIP now`);
  }
  if (!isOther) return;
  throw new WeightsError(`${path}: was trained on another ${inputs === null ? 'CLIP' : 'data set or CLIP'}`);
}

async function hashTokenizer(folder: string): Promise<string> {
  const files = ['vocab.json', 'merges.txt'].map((name) => locate(folder, name));
  return hashOf(await Promise.all(files.map(contentStamp)));
}

/** Hash of a model's weights and configuration, and of a BERT's tokenizer. Throws WeightsError where they cannot be read. */
export async function hashFolder(folder: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  const { createReadStream } = await import('node:fs');
  const { readdir } = await import('node:fs/promises');
  const hash = createHash('sha256');
  const names = (
    await readdir(folder).catch((error) => {
      throw fileError(folder, error);
    })
  ).filter(
    (name) => ['config.json', 'vocab.txt', 'tokenizer.json'].includes(name) || name.endsWith('.safetensors'),
  );
  for (const name of names.sort()) {
    hash.update(name);
    for await (const bytes of createReadStream(locate(folder, name))) hash.update(bytes as Uint8Array);
  }
  return hash.digest('hex');
}
