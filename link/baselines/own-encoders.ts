// The pretrained encoders that a baseline has of its own, loaded from the folders that are told, and what a checkpoint keeps of
// where it began.

import { loadWordPiece } from '../../data/text/wordpiece/wordpiece-files.ts';
import { UsageError, WeightsError } from '../../files/errors.ts';
import { resolvePath } from '../../files/package-path.ts';
import type { BertPart, EncoderName, OwnEncoders } from '../../model/baselines/baseline.ts';
import { loadBert } from '../../model/bert/load-bert.ts';
import { loadClip } from '../../model/clip/load-clip.ts';
import { hashFolder, type ModelBase } from '../model-base.ts';

/** Folders of pretrained encoders besides CLIP's, in Hugging Face's layout; 'package:' begins in the package. */
export type EncoderFolders = Readonly<Record<Exclude<EncoderName, 'clip'>, string>>;

/** The stand-ins that the package ships. */
export const shippedEncoders: EncoderFolders = { bert: 'package:weights/tiny-bert' };

type Base = Pick<ModelBase, 'device' | 'clip' | 'encoders'>;

/** Loads encoders of a base's folders, each time a new one, all of it trainable. */
export function ownEncoders(base: Base): OwnEncoders {
  const { device } = base;
  return {
    clip: () => loadClip(device, base.clip.folder, { trainable: true }),
    bert: () => loadOwnBert(base),
  };
}

async function loadOwnBert(base: Base): Promise<BertPart> {
  const folder = folderOf(base, 'bert');
  const tokenizer = await loadWordPiece(folder);
  const bert = await loadBert(base.device, folder, { trainable: true });
  const { vocabulary } = bert.config;
  if (tokenizer.tokens.length === vocabulary) return { ...bert, tokenizer };
  for (const tensor of bert.tensors.values()) tensor.release();
  throw new WeightsError(
    `${folder}: the vocabulary has ${tokenizer.tokens.length} tokens, config.json ${vocabulary}`,
  );
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
