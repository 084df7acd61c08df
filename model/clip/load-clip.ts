// A CLIP in Hugging Face's layout, from a folder or from the address that one is served under: config.json and
// model.safetensors (or shards, with model.safetensors.index.json). The tokenizer's files lie beside them;
// data/text/tokenizer-files.ts reads those. save-clip.ts writes such folders.

import type { Device } from '../../engine/device.ts';
import { locate } from '../../files/locate.ts';
import { type LoadOptions, loadPretrained } from '../load-pretrained.ts';
import { type Built, declared } from '../parameter-source.ts';
import { ParameterStore } from '../parameter-store.ts';
import { Clip } from './clip.ts';
import { type ClipDescription, readClipConfig } from './clip-config.ts';

/** A CLIP on a device, with its tensors by name, for an optimiser and to release. */
export interface LoadedClip extends ClipDescription, Built<Clip> {
  /** Where vocab.json and merges.txt are. */
  folder: string;
}

/** What encoding takes of a CLIP: its towers, without the scale of its own scores. */
export interface ClipTowers extends Pick<LoadedClip, 'tensors' | 'config'> {
  module: Pick<Clip, 'text' | 'vision'>;
}

/**
 * Loads the CLIP in `folder`, a path or an http(s) address; call it outside of any scope. F32, F16 and BF16 weights are
 * read; tensors that CLIP does not know are left alone. Throws WeightsError, one line with the file, for what is
 * missing, has another shape than config.json says, or is not finite.
 */
export async function loadClip(
  device: Device,
  folder: string,
  options: LoadOptions = {},
): Promise<LoadedClip> {
  const description = await readClipConfig(locate(folder, 'config.json'));
  const { config } = description;
  const wanted = [...declared((p) => new Clip(p, config))].map(([name, { shape }]) => ({ name, shape }));
  const tensors = await loadPretrained(device, folder, wanted, options);
  return { ...description, module: new Clip(new ParameterStore(tensors), config), tensors, folder };
}
