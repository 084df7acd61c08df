// Writes a network as a folder in Hugging Face's layout: texts such as config.json, and model.safetensors in float16.

import { join } from 'node:path';
import type { Tensor } from '../engine/tensor.ts';
import { writeTextAtomically } from '../files/atomic-file.ts';
import { WeightsError } from '../files/errors.ts';
import { replaceFolder } from '../files/folders/staged-folder.ts';
import { f32ToF16 } from '../weights/half.ts';
import { type TensorToWrite, writeSafetensors } from '../weights/write-safetensors.ts';
import type { ParameterSpecs } from './parameter-source.ts';

/**
 * Writes the texts by their files' names and the parameters that `specs` names into `folder`, which is made where it is
 * missing: all of them are there at once, in place of files of these names. Throws InputError when they cannot be written.
 */
export function savePretrained(
  folder: string,
  texts: Readonly<Record<string, string>>,
  specs: ParameterSpecs,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<void> {
  return replaceFolder(folder, (stage) => writeAll(stage, texts, specs, tensors), { overwrites: true });
}

async function writeAll(
  folder: string,
  texts: Readonly<Record<string, string>>,
  specs: ParameterSpecs,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<void> {
  for (const [name, text] of Object.entries(texts)) await writeTextAtomically(join(folder, name), text);
  const weights: Record<string, TensorToWrite> = {};
  for (const [name, { shape }] of specs) {
    const tensor = tensors.get(name);
    if (!tensor) throw new WeightsError(`${folder}: no tensor '${name}' to write`);
    const data = async () => f32ToF16(await tensor.device.read<'f32'>(tensor));
    weights[name] = { dtype: 'F16', shape, data };
  }
  // Hugging Face's loader wants to know which framework's layout this is.
  await writeSafetensors(join(folder, 'model.safetensors'), weights, { format: 'pt' });
}
