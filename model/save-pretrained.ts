// Writes a network as a folder in Hugging Face's layout: texts such as config.json, and model.safetensors in float16.

import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor } from '../engine/tensor.ts';
import { writeFileAtomically } from '../files/atomic-file.ts';
import { WeightsError } from '../files/errors.ts';
import { f32ToF16 } from '../weights/half.ts';
import { type TensorToWrite, writeSafetensors } from '../weights/write-safetensors.ts';
import type { ParameterSpecs } from './parameter-source.ts';

/**
 * Writes the texts by their files' names and the parameters that `specs` names into `folder`, which is made where it is
 * missing. All files are complete in a folder beside it before the first takes its name. Throws WeightsError when they cannot
 * be written.
 */
export async function savePretrained(
  folder: string,
  texts: Readonly<Record<string, string>>,
  specs: ParameterSpecs,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<void> {
  const stage = `${folder}.part`;
  const refused = (error: Error) => {
    throw new WeightsError(`${folder}: cannot be written: ${error.message}`);
  };
  await Promise.all([mkdir(folder, { recursive: true }), mkdir(stage, { recursive: true })]).catch(refused);
  for (const [name, text] of Object.entries(texts)) {
    await writeFileAtomically(join(stage, name), (append) => append(new TextEncoder().encode(text)));
  }
  const weights: Record<string, TensorToWrite> = {};
  for (const [name, { shape }] of specs) {
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
