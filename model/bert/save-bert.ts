// Writes a BERT as a folder in Hugging Face's layout: config.json, model.safetensors, vocab.txt.

import type { Tensor } from '../../engine/tensor.ts';
import { declared } from '../parameter-source.ts';
import { savePretrained } from '../save-pretrained.ts';
import { Bert, type BertConfig } from './bert.ts';
import { bertConfigJson } from './bert-config.ts';

/** Writes a BERT in float16 with its tokens by id into `folder`. Throws WeightsError when it cannot be written. */
export async function saveBert(
  folder: string,
  config: BertConfig,
  tensors: ReadonlyMap<string, Tensor>,
  tokens: readonly string[],
): Promise<void> {
  const texts = { 'vocab.txt': `${tokens.join('\n')}\n`, 'config.json': bertConfigJson(config) };
  const specs = declared((p) => new Bert(p, config));
  await savePretrained(folder, texts, specs, tensors);
}
