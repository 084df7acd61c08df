// Hugging Face's config.json of a CLIP: read, checked field by field, and written. Knows nothing of weights.

import { parseJsonObject, readSmallText } from '../../files/locate.ts';
import { type Fields, integersOf, mostConfigBytes, wrongField } from '../config-fields.ts';
import type { ClipConfig, TransformerConfig } from './clip.ts';

/** What config.json says, as far as the encoders need it. */
export interface ClipDescription {
  config: ClipConfig;
  /**
   * The token at whose first place a text's embedding is taken. Configurations of 2022 say 2 there and mean
   * the highest id (Hugging Face's CLIPTextTransformer has the same rule).
   */
  eosId: number;
}

/** What Hugging Face's CLIPTextConfig, CLIPVisionConfig and CLIPConfig assume for what a file leaves out. */
const defaults = {
  text_config: {
    vocab_size: 49408,
    hidden_size: 512,
    intermediate_size: 2048,
    num_hidden_layers: 12,
    num_attention_heads: 8,
    max_position_embeddings: 77,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
    eos_token_id: 49407,
  },
  vision_config: {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    num_channels: 3,
    image_size: 224,
    patch_size: 32,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
  },
  projection_dim: 512,
} as const;

const legacyEos = 2;

/** Reads the file at a path or an http(s) address. Throws WeightsError, one line with the file and the field. */
export async function readClipConfig(where: string): Promise<ClipDescription> {
  return parseClipConfig(where, await readSmallText(where, mostConfigBytes));
}

/** Parses the text of a config.json; `file` is its name in errors. Throws WeightsError. */
export function parseClipConfig(file: string, text: string): ClipDescription {
  const root = parseJsonObject(file, text);
  if (root.model_type !== undefined && root.model_type !== 'clip') {
    throw wrongField(file, '', 'model_type', '"clip"', root.model_type);
  }
  const [textFields, visionFields] = [
    fieldsOf(file, root, 'text_config'),
    fieldsOf(file, root, 'vision_config'),
  ];
  const textInteger = integersOf(file, 'text_config', textFields);
  const visionInteger = integersOf(file, 'vision_config', visionFields);
  if (visionInteger('num_channels') !== 3) {
    throw wrongField(file, 'vision_config', 'num_channels', '3', visionFields.num_channels);
  }
  const config: ClipConfig = {
    text: {
      ...transformer(file, 'text_config', textFields),
      vocabulary: textInteger('vocab_size'),
      maxLength: textInteger('max_position_embeddings'),
    },
    vision: {
      ...transformer(file, 'vision_config', visionFields),
      imageSize: visionInteger('image_size'),
      patchSize: visionInteger('patch_size'),
    },
    projection: integersOf(file, '', { projection_dim: defaults.projection_dim, ...root })('projection_dim'),
  };
  const { imageSize, patchSize } = config.vision;
  if (patchSize > imageSize) {
    throw wrongField(file, 'vision_config', 'patch_size', `at most image_size ${imageSize}`, patchSize);
  }
  return { config, eosId: eosOf(file, textInteger('eos_token_id'), config.text.vocabulary) };
}

/** The text of a config.json that Hugging Face's CLIPModel and this file's reader take. */
export function clipConfigJson(config: ClipConfig, bosId: number, eosId: number): string {
  const stack = ({ width, hidden, heads, layers }: TransformerConfig) => ({
    hidden_size: width,
    intermediate_size: hidden,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
    attention_dropout: 0,
    projection_dim: config.projection,
  });
  const fields = {
    architectures: ['CLIPModel'],
    model_type: 'clip',
    torch_dtype: 'float16',
    projection_dim: config.projection,
    logit_scale_init_value: 2.6592,
    text_config: {
      model_type: 'clip_text_model',
      ...stack(config.text),
      vocab_size: config.text.vocabulary,
      max_position_embeddings: config.text.maxLength,
      bos_token_id: bosId,
      eos_token_id: eosId,
      pad_token_id: eosId,
    },
    vision_config: {
      model_type: 'clip_vision_model',
      ...stack(config.vision),
      image_size: config.vision.imageSize,
      patch_size: config.vision.patchSize,
      num_channels: 3,
    },
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

/** A section with defaults filled in. Older files repeat it as `SECTION_dict`, whose values then count. */
function fieldsOf(file: string, root: Fields, section: 'text_config' | 'vision_config'): Fields {
  return {
    ...defaults[section],
    ...objectAt(file, root, section),
    ...objectAt(file, root, `${section}_dict`),
  };
}

/** An object of the file, {} where it is left out or null. */
function objectAt(file: string, root: Fields, name: string): Fields {
  const value = root[name] ?? {};
  if (!isObject(value)) throw wrongField(file, '', name, 'an object', value);
  return value;
}

function transformer(file: string, section: string, fields: Fields): TransformerConfig {
  const integer = integersOf(file, section, fields);
  const [width, heads] = [integer('hidden_size'), integer('num_attention_heads')];
  const fail = (name: string, expected: string) => {
    throw wrongField(file, section, name, expected, fields[name]);
  };
  if (width % heads !== 0) fail('num_attention_heads', `a divisor of hidden_size ${width}`);
  if (fields.hidden_act !== 'quick_gelu') fail('hidden_act', '"quick_gelu"');
  if (fields.layer_norm_eps !== 1e-5) fail('layer_norm_eps', '0.00001');
  return { width, hidden: integer('intermediate_size'), heads, layers: integer('num_hidden_layers') };
}

function eosOf(file: string, id: number, vocabulary: number): number {
  if (id === legacyEos) return vocabulary - 1;
  if (id < vocabulary) return id;
  throw wrongField(file, 'text_config', 'eos_token_id', `less than vocab_size ${vocabulary}`, id);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
