// The pretrained encoders that a baseline has of its own, loaded from the folders that are told, and what a checkpoint keeps of
// where it began.

import type { WordPiece } from '../../data/text/wordpiece/wordpiece.ts';
import { loadWordPiece } from '../../data/text/wordpiece/wordpiece-files.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { UsageError, WeightsError } from '../../files/errors.ts';
import { resolvePath } from '../../files/package-path.ts';
import { loadAlbef } from '../../model/albef/load-albef.ts';
import type { EncoderName, OwnEncoders } from '../../model/baselines/baseline.ts';
import { loadBert } from '../../model/bert/load-bert.ts';
import { loadClip } from '../../model/clip/load-clip.ts';
import { hashFolder, type ModelBase } from '../model-base.ts';

/** Folders of pretrained encoders besides CLIP's, in Hugging Face's layout; 'package:' begins in the package. */
export type EncoderFolders = Readonly<Record<Exclude<EncoderName, 'clip'>, string>>;

/** The stand-ins that the package ships. */
export const shippedEncoders: EncoderFolders = {
  bert: 'package:weights/tiny-bert',
  albef: 'package:weights/tiny-albef',
};

type Base = Pick<ModelBase, 'device' | 'clip' | 'encoders'>;

/** Loads encoders of a base's folders, each time a new one, all of it trainable. */
export function ownEncoders(base: Base): OwnEncoders {
  const { device } = base;
  return {
    clip: () => loadClip(device, base.clip.folder, { trainable: true }),
    bert: async () => {
      const folder = folderOf(base, 'bert');
      const bert = await loadBert(device, folder, { trainable: true });
      return withTokenizer(folder, bert, bert.config.vocabulary);
    },
    albef: async (options = {}) => {
      const folder = folderOf(base, 'albef');
      const albef = await loadAlbef(device, folder, { ...options, trainable: true });
      return withTokenizer(folder, albef, albef.config.text.vocabulary);
    },
  };
}

/** A network with the tokenizer that lies beside it. Releases it and throws WeightsError for the tokenizer of another. */
async function withTokenizer<N extends { tensors: ReadonlyMap<string, Tensor> }>(
  folder: string,
  network: N,
  vocabulary: number,
): Promise<N & { tokenizer: WordPiece }> {
  try {
    const tokenizer = await loadWordPiece(folder);
    const { length } = tokenizer.tokens;
    if (length === vocabulary) return { ...network, tokenizer };
    throw new WeightsError(`${folder}: the vocabulary has ${length} tokens, config.json ${vocabulary}`);
  } catch (error) {
    for (const tensor of network.tensors.values()) tensor.release();
    throw error;
  }
}

/** Hashes of the encoders by name, but for CLIP's, which all checkpoints keep. */
export async function encoderHashes(
  base: Pick<ModelBase, 'encoders'>,
  names: readonly EncoderName[],
): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of names) if (name !== 'clip') hashes[name] = await hashFolder(folderOf(base, name));
  return hashes;
}

function folderOf({ encoders }: Pick<ModelBase, 'encoders'>, name: keyof EncoderFolders): string {
  const folder = encoders[name];
  if (folder === undefined)
    throw new UsageError(`${name}.folder: expected the folder of a ${name.toUpperCase()}`);
  return resolvePath(folder);
}
