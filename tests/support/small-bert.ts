// A BERT of random weights in Hugging Face's layout, small enough to be encoded in no time.

import * as fs from 'node:fs';
import { join } from 'node:path';
import { Bert, type BertConfig, BertPooler } from '../../model/bert/bert.ts';
import { declared } from '../../model/parameter-source.ts';
import { type TensorToWrite, writeSafetensors } from '../../weights/write-safetensors.ts';
import { normal } from './random.ts';

export const smallBert: BertConfig = {
  width: 24,
  hidden: 40,
  heads: 3,
  layers: 2,
  vocabulary: 60,
  maxLength: 20,
  types: 2,
  eps: 1e-12,
};

const words = 'the bat cat flew out of cave ball game bird at night small ##s ##ing'.split(' ');
/** Tokens by id. */
export const smallVocabulary = [
  ...['[PAD]', '[unused0]', '[unused1]', '[unused2]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '.', ':'],
  ...words,
  ...'abcdefghijklmnopqrstuvwxyz'.split(''),
];

/** Weights by name, the pooler's among them. */
export function smallBertTensors(): Record<string, TensorToWrite & { shape: number[] }> {
  const specs = declared((p) => [new Bert(p, smallBert), new BertPooler(p, smallBert)]);
  return Object.fromEntries(
    [...specs].map(([name, { shape }], seed) => {
      const size = shape.reduce((product, n) => product * n, 1);
      const data = normal(size, seed + 1).map((x) => 0.3 * x + Number(name.endsWith('LayerNorm.weight')));
      return [name, { dtype: 'F32', shape: [...shape], data } as const];
    }),
  );
}

/** Writes the folder; `rename` says what the file calls a tensor. */
export async function writeSmallBert(folder: string, rename = (name: string) => name): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  const { width, hidden, heads, layers, vocabulary, maxLength, types, eps } = smallBert;
  const config = {
    model_type: 'bert',
    hidden_size: width,
    intermediate_size: hidden,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    vocab_size: vocabulary,
    max_position_embeddings: maxLength,
    type_vocab_size: types,
    layer_norm_eps: eps,
  };
  fs.writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  fs.writeFileSync(join(folder, 'vocab.txt'), `${smallVocabulary.join('\n')}\n`);
  const tensors = Object.entries(smallBertTensors()).map(([name, one]) => [rename(name), one] as const);
  await writeSafetensors(join(folder, 'model.safetensors'), Object.fromEntries(tensors));
}
