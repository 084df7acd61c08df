// Writes a CLIP as a folder in Hugging Face's layout: config.json, model.safetensors, vocab.json, merges.txt.

import type { Tensor } from '../../engine/tensor.ts';
import { declared } from '../parameter-source.ts';
import { savePretrained } from '../save-pretrained.ts';
import { Clip, type ClipConfig } from './clip.ts';
import { clipConfigJson } from './clip-config.ts';

/** A vocabulary in Hugging Face's form, and the ids of its marks. */
export interface Vocabulary {
  vocab: Readonly<Record<string, number>>;
  merges: string;
  bosId: number;
  eosId: number;
}

/** Writes a CLIP in float16 with its vocabulary into `folder`. Throws WeightsError when it cannot be written. */
export async function saveClip(
  folder: string,
  config: ClipConfig,
  tensors: ReadonlyMap<string, Tensor>,
  { vocab, merges, bosId, eosId }: Vocabulary,
): Promise<void> {
  const texts = {
    'vocab.json': `${JSON.stringify(vocab)}\n`,
    'merges.txt': merges,
    'config.json': clipConfigJson(config, bosId, eosId),
  };
  const specs = declared((p) => new Clip(p, config));
  await savePretrained(folder, texts, specs, tensors);
}
