// config.json of an ALBEF: read, checked field by field, and written. The authors have no such file: what their configs say
// (config_bert.json, Pretrain.yaml) is under their names, and the vision transformer under timm's. What is left out is as in
// ALBEF.pth. Knows nothing of weights.

import { parseJsonObject, readSmallText } from '../../files/locate.ts';
import { bertConfigFields, bertConfigOf } from '../bert/bert-config.ts';
import { type Fields, integersOf, mostConfigBytes, wrongField } from '../config-fields.ts';
import type { AlbefConfig } from './albef.ts';

const defaults = {
  image_res: 256,
  embed_dim: 256,
  text_config: { fusion_layer: 6 },
  vision_config: { patch_size: 16, embed_dim: 768, depth: 12, num_heads: 12, mlp_ratio: 4 },
} as const;

/** Reads the file at a path or an http(s) address. Throws WeightsError, one line with the file and the field. */
export async function readAlbefConfig(where: string): Promise<AlbefConfig> {
  return parseAlbefConfig(where, await readSmallText(where, mostConfigBytes));
}

/** Parses the text of a config.json; `file` is its name in errors. Throws WeightsError. */
export function parseAlbefConfig(file: string, text: string): AlbefConfig {
  const root = { ...defaults, ...parseJsonObject(file, text) } as Fields;
  if (root.model_type !== undefined && root.model_type !== 'albef') {
    throw wrongField(file, '', 'model_type', '"albef"', root.model_type);
  }
  const textFields = section(file, root, 'text_config');
  const visionFields = section(file, root, 'vision_config');
  const textConfig = bertConfigOf(file, 'text_config', textFields);
  const fusionLayer = integersOf(file, 'text_config', textFields)('fusion_layer');
  if (fusionLayer >= textConfig.layers) {
    const expected = `less than num_hidden_layers ${textConfig.layers}`;
    throw wrongField(file, 'text_config', 'fusion_layer', expected, fusionLayer);
  }
  const vision = integersOf(file, 'vision_config', visionFields);
  const [width, heads, patchSize] = [vision('embed_dim'), vision('num_heads'), vision('patch_size')];
  const fail = (name: string, expected: string) => {
    throw wrongField(file, 'vision_config', name, expected, visionFields[name]);
  };
  if (width % heads !== 0) fail('num_heads', `a divisor of embed_dim ${width}`);
  const imageSize = integersOf(file, '', root)('image_res');
  if (patchSize > imageSize) fail('patch_size', `at most image_res ${imageSize}`);
  const ratio: unknown = visionFields.mlp_ratio;
  const hidden = typeof ratio === 'number' ? ratio * width : Number.NaN;
  if (!Number.isSafeInteger(hidden) || hidden < 1) {
    throw fail('mlp_ratio', `a number that makes embed_dim ${width} a whole width`);
  }
  const encoderWidth = textFields.encoder_width;
  if (encoderWidth !== undefined && encoderWidth !== width) {
    throw wrongField(file, 'text_config', 'encoder_width', `vision_config.embed_dim ${width}`, encoderWidth);
  }
  return {
    text: textConfig,
    fusionLayer,
    vision: { width, hidden, heads, layers: vision('depth'), imageSize, patchSize },
    projection: integersOf(file, '', root)('embed_dim'),
  };
}

/** The text of a config.json for weights in float16. */
export function albefConfigJson({ text, fusionLayer, vision, projection }: AlbefConfig): string {
  const fields = {
    architectures: ['ALBEF'],
    model_type: 'albef',
    torch_dtype: 'float16',
    image_res: vision.imageSize,
    embed_dim: projection,
    text_config: { ...bertConfigFields(text), fusion_layer: fusionLayer, encoder_width: vision.width },
    vision_config: {
      patch_size: vision.patchSize,
      embed_dim: vision.width,
      depth: vision.layers,
      num_heads: vision.heads,
      mlp_ratio: vision.hidden / vision.width,
    },
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

/** A section with defaults filled in. */
function section(file: string, root: Fields, name: 'text_config' | 'vision_config'): Fields {
  const value = root[name];
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return { ...defaults[name], ...value };
  throw wrongField(file, '', name, 'an object', value);
}
