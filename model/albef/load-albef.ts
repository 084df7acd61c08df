// An ALBEF from a folder or from the address that one is served under: config.json and model.safetensors with the names of the
// released checkpoints. Theirs are Python pickles, which nothing here opens; README.md says how to convert one. The
// vocabulary lies beside them; data/text/wordpiece/wordpiece-files.ts reads it. save-albef.ts writes such folders.

import type { Device } from '../../engine/device.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { WeightsError } from '../../files/errors.ts';
import { locate } from '../../files/locate.ts';
import { type LoadOptions, loadPretrained } from '../load-pretrained.ts';
import type { WantedTensor } from '../load-tensors.ts';
import { type Built, declared, type ParameterSource } from '../parameter-source.ts';
import { ParameterStore } from '../parameter-store.ts';
import { Albef, type AlbefConfig, AlbefMatching } from './albef.ts';
import { readAlbefConfig } from './albef-config.ts';

/** Storage is f32: the vision transformer's fused layers are cut, which half precision is not. */
export interface AlbefOptions extends Pick<LoadOptions, 'trainable'> {
  /** Whether the matching head is loaded too. Default false. */
  matching?: boolean;
}

/** An ALBEF on a device, with its tensors by name, for an optimiser and to release. */
export interface LoadedAlbef extends Built<Albef> {
  config: AlbefConfig;
  matching: AlbefMatching | null;
}

/** The temperature of checkpoints, exp(-logit_scale). */
export const temperatureName = 'temp';

/**
 * Loads the ALBEF in `folder`, a path or an http(s) address; call it outside of any scope. F32, F16 and BF16 weights are read;
 * the names of the text encoder may have `bert.` in them, and tensors that ALBEF does not know are left alone. Throws
 * WeightsError, one line with the file, for what is missing, has another shape than config.json says, or is not finite.
 */
export async function loadAlbef(
  device: Device,
  folder: string,
  { matching: hasMatching = false, ...options }: AlbefOptions = {},
): Promise<LoadedAlbef> {
  const config = await readAlbefConfig(locate(folder, 'config.json'));
  const construct = (p: ParameterSource) => ({
    module: new Albef(p, config),
    matching: hasMatching ? new AlbefMatching(p, config) : null,
  });
  const wanted = [...declared(construct)].map(([name, { shape }]) => withAlias({ name, shape }));
  const tensors = await loadPretrained(device, folder, wanted, options);
  try {
    await turnToLogitScale(tensors, folder);
  } catch (error) {
    for (const tensor of tensors.values()) tensor.release();
    throw error;
  }
  return { ...construct(new ParameterStore(tensors)), config, tensors };
}

/** A tensor under all names that checkpoints have it under. */
function withAlias({ name, shape }: WantedTensor): WantedTensor {
  if (name === 'logit_scale') return { name: temperatureName, shape };
  if (!name.startsWith('text_encoder.')) return { name, shape };
  const alias = name.replace('text_encoder.', 'text_encoder.bert.');
  return { name, shape, orElse: [{ name: alias, shape }] };
}

/** Makes the loaded temperature the logarithm of its inverse, under that name. */
async function turnToLogitScale(tensors: Map<string, Tensor>, folder: string): Promise<void> {
  const tensor = tensors.get(temperatureName)!;
  const [temperature] = await tensor.device.read<'f32'>(tensor);
  if (!(temperature! > 0)) {
    throw new WeightsError(
      `${folder}: tensor '${temperatureName}': expected a temperature above 0, found ${temperature}`,
    );
  }
  tensor.device.write(tensor, Float32Array.of(-Math.log(temperature!)));
  tensor.name = 'logit_scale';
  tensors.delete(temperatureName);
  tensors.set('logit_scale', tensor);
}
