// A BERT in Hugging Face's layout, from a folder or from the address that one is served under: config.json and
// model.safetensors (or shards). The vocabulary lies beside them; data/text/wordpiece/wordpiece-files.ts reads it.

import type { Device } from '../../engine/device.ts';
import { locate } from '../../files/locate.ts';
import { type LoadOptions, loadPretrained } from '../load-pretrained.ts';
import type { WantedTensor } from '../load-tensors.ts';
import { type Built, declared, type ParameterSource } from '../parameter-source.ts';
import { ParameterStore } from '../parameter-store.ts';
import { Bert, type BertConfig, BertPooler } from './bert.ts';
import { readBertConfig } from './bert-config.ts';

export interface BertOptions extends LoadOptions {
  /** Whether the pooler is loaded too: checkpoints for classifiers have one. Default false. */
  pooler?: boolean;
}

/** A BERT on a device, with its tensors by name, for an optimiser and to release. */
export interface LoadedBert extends Built<Bert> {
  config: BertConfig;
  pooler: BertPooler | null;
}

/**
 * Loads the BERT in `folder`, a path or an http(s) address; call it outside of any scope. F32, F16 and BF16 weights are read.
 * Names may begin with `bert.`, as in checkpoints with a head, and norms may have TensorFlow's `gamma` and `beta`, as in
 * bert-base-uncased; heads and other tensors are left alone. Throws WeightsError, one line with the file, for what is missing,
 * has another shape than config.json says, or is not finite.
 */
export async function loadBert(
  device: Device,
  folder: string,
  { pooler: hasPooler = false, ...options }: BertOptions = {},
): Promise<LoadedBert> {
  const config = await readBertConfig(locate(folder, 'config.json'));
  const construct = (p: ParameterSource) => ({
    module: new Bert(p, config),
    pooler: hasPooler ? new BertPooler(p, config) : null,
  });
  const wanted = [...declared(construct)].map(([name, { shape }]) => withAliases({ name, shape }));
  const tensors = await loadPretrained(device, folder, wanted, options);
  return { ...construct(new ParameterStore(tensors)), config, tensors };
}

/** A tensor under all names that checkpoints have it under. */
function withAliases({ name, shape }: WantedTensor): WantedTensor {
  const old = name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
  const names = [`bert.${name}`, ...(old === name ? [] : [old, `bert.${old}`])];
  return { name, shape, orElse: names.map((alias) => ({ name: alias, shape })) };
}
