// Writes an ALBEF as a folder that load-albef.ts reads: config.json, model.safetensors with the names of the released
// checkpoints, vocab.txt.

import type { Tensor } from '../../engine/tensor.ts';
import { WeightsError } from '../../files/errors.ts';
import { declared, type ParameterSpecs } from '../parameter-source.ts';
import { savePretrained } from '../save-pretrained.ts';
import { Albef, type AlbefConfig, AlbefMatching } from './albef.ts';
import { albefConfigJson } from './albef-config.ts';
import { temperatureName } from './load-albef.ts';

/**
 * Writes an ALBEF with its matching head in float16 and its tokens by id into `folder`; call it outside of any scope. Throws
 * WeightsError when it cannot be written.
 */
export async function saveAlbef(
  folder: string,
  config: AlbefConfig,
  tensors: ReadonlyMap<string, Tensor>,
  tokens: readonly string[],
): Promise<void> {
  const logitScale = tensors.get('logit_scale');
  if (!logitScale) throw new WeightsError(`${folder}: no tensor 'logit_scale' to write`);
  const { device } = logitScale;
  const [scale] = await device.read<'f32'>(logitScale);
  const temperature = device.tensor([], Float32Array.of(Math.exp(-scale!)), { name: temperatureName });
  const specs: ParameterSpecs = new Map(
    [...declared((p) => [new Albef(p, config), new AlbefMatching(p, config)])].map(([name, spec]) => [
      name === 'logit_scale' ? temperatureName : name,
      spec,
    ]),
  );
  const texts = { 'vocab.txt': `${tokens.join('\n')}\n`, 'config.json': albefConfigJson(config) };
  try {
    await savePretrained(folder, texts, specs, new Map([...tensors, [temperatureName, temperature]]));
  } finally {
    temperature.release();
  }
}
