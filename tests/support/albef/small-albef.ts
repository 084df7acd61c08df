// An ALBEF of random weights in the layout of its folders, small enough to be run in no time.

import * as fs from 'node:fs';
import { join } from 'node:path';
import { Albef, type AlbefConfig, AlbefMatching } from '../../../model/albef/albef.ts';
import { declared } from '../../../model/parameter-source.ts';
import { type TensorToWrite, writeSafetensors } from '../../../weights/write-safetensors.ts';
import { normal } from '../random.ts';
import { smallBert, smallVocabulary } from '../small-bert.ts';

export const smallAlbef: AlbefConfig = {
  text: { ...smallBert, layers: 4 },
  fusionLayer: 2,
  vision: { width: 36, hidden: 72, heads: 3, layers: 2, imageSize: 16, patchSize: 4 },
  projection: 8,
};

export const smallTemperature = 0.05;

/** Weights by the names of checkpoints, the matching head's among them. */
export function smallAlbefTensors(): Record<string, TensorToWrite & { shape: number[] }> {
  const specs = declared((p) => [new Albef(p, smallAlbef), new AlbefMatching(p, smallAlbef)]);
  return Object.fromEntries(
    [...specs].map(([name, { shape }], seed) => {
      const size = shape.reduce((product, n) => product * n, 1);
      const isNorm = /(LayerNorm|norm\d?)\.weight$/.test(name);
      const data =
        name === 'logit_scale'
          ? Float32Array.of(smallTemperature)
          : normal(size, seed + 1).map((x) => 0.3 * x + Number(isNorm));
      const key = name === 'logit_scale' ? 'temp' : name;
      return [key, { dtype: 'F32', shape: [...shape], data } as const];
    }),
  );
}

/** The folder's config.json. */
export function smallAlbefFields() {
  const { text, vision, projection, fusionLayer } = smallAlbef;
  return {
    model_type: 'albef',
    image_res: vision.imageSize,
    embed_dim: projection,
    text_config: {
      hidden_size: text.width,
      intermediate_size: text.hidden,
      num_hidden_layers: text.layers,
      num_attention_heads: text.heads,
      vocab_size: text.vocabulary,
      max_position_embeddings: text.maxLength,
      fusion_layer: fusionLayer,
      encoder_width: vision.width,
    },
    vision_config: {
      patch_size: vision.patchSize,
      embed_dim: vision.width,
      depth: vision.layers,
      num_heads: vision.heads,
      mlp_ratio: vision.hidden / vision.width,
    },
  };
}

/** Writes the folder; `change` gives what the file has instead of the tensors. */
export async function writeSmallAlbef(
  folder: string,
  change = (tensors: ReturnType<typeof smallAlbefTensors>) => tensors,
): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(join(folder, 'config.json'), JSON.stringify(smallAlbefFields()));
  fs.writeFileSync(join(folder, 'vocab.txt'), `${smallVocabulary.join('\n')}\n`);
  await writeSafetensors(join(folder, 'model.safetensors'), change(smallAlbefTensors()));
}
