// Writes a CLIP as a folder in Hugging Face's layout: config.json, model.safetensors, vocab.json, merges.txt.

import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor } from '../../engine/tensor.ts';
import { writeFileAtomically } from '../../files/atomic-file.ts';
import { WeightsError } from '../../files/errors.ts';
import { f32ToF16 } from '../../weights/half.ts';
import { type TensorToWrite, writeSafetensors } from '../../weights/write-safetensors.ts';
import { declared } from '../parameter-source.ts';
import { Clip, type ClipConfig } from './clip.ts';
import { clipConfigJson } from './clip-config.ts';

/** A vocabulary in Hugging Face's form, and the ids of its marks. */
export interface Vocabulary {
  vocab: Readonly<Record<string, number>>;
  merges: string;
  bosId: number;
  eosId: number;
}

/**
 * Writes a CLIP in float16 with its vocabulary into `folder`, which is made where it is missing. All files
 * are complete in a folder beside it before the first takes its name. Throws WeightsError when they cannot
 * be written.
 */
export async function saveClip(
  folder: string,
  config: ClipConfig,
  tensors: ReadonlyMap<string, Tensor>,
  { vocab, merges, bosId, eosId }: Vocabulary,
): Promise<void> {
  const stage = `${folder}.part`;
  const refused = (error: Error) => {
    throw new WeightsError(`${folder}: cannot be written: ${error.message}`);
  };
  await Promise.all([mkdir(folder, { recursive: true }), mkdir(stage, { recursive: true })]).catch(refused);
  const texts = {
    'vocab.json': `${JSON.stringify(vocab)}\n`,
    'merges.txt': merges,
    'config.json': clipConfigJson(config, bosId, eosId),
  };
  for (const [name, text] of Object.entries(texts)) {
    await writeFileAtomically(join(stage, name), (append) => append(new TextEncoder().encode(text)));
  }
  const weights: Record<string, TensorToWrite> = {};
  for (const [name, { shape }] of declared((p) => new Clip(p, config))) {
    const tensor = tensors.get(name);
    if (!tensor) throw new WeightsError(`${folder}: no tensor '${name}' to write`);
    const data = async () => f32ToF16(await tensor.device.read<'f32'>(tensor));
    weights[name] = { dtype: 'F16', shape, data };
  }
  // Hugging Face's loader wants to know which framework's layout this is.
  await writeSafetensors(join(stage, 'model.safetensors'), weights, { format: 'pt' });
  for (const name of [...Object.keys(texts), 'model.safetensors']) {
    await rename(join(stage, name), join(folder, name)).catch(refused);
  }
  await rmdir(stage).catch(refused);
}
