// Kinds `clip` (both encoders, all weights trained) and `prompts` (CLIP frozen, interactive prompts trained).

import { mul } from '../../engine/ops/elementwise.ts';
import type { Tensor } from '../../engine/tensor.ts';
import {
  type ClipConfig,
  ClipImageEncoder,
  ClipTextEncoder,
  type TextBatch,
  type TextFeatures,
} from '../../model/clip/clip.ts';
import { InteractivePrompts, noPrompts, type Prompts } from '../../model/dsmip/prompts.ts';
import type { CaseConfig } from './case.ts';
import { type CaseContext, input, integers, type Kind, probe, readResults } from './kind.ts';

export const clip: Kind = (context) => context.device.scope(() => encode(context, noPrompts));

export const prompts: Kind = (context) =>
  context.device.scope(() => {
    const { config, parameters } = context;
    const shape = { length: config.number('prompt_length'), depth: config.number('prompt_depth') };
    return encode(context, new InteractivePrompts(parameters, 'mention', clipConfig(config), shape).make());
  });

/** The network that a case's config describes; its feed-forward layers are four times as wide as the rest. */
export function clipConfig(config: CaseConfig): ClipConfig {
  const stack = (side: 'text' | 'vision') => ({
    width: config.number(`${side}_width`),
    hidden: 4 * config.number(`${side}_width`),
    heads: config.number(`${side}_heads`),
    layers: config.number(`${side}_layers`),
  });
  return {
    text: { ...stack('text'), vocabulary: config.number('vocab'), maxLength: config.number('max_length') },
    vision: {
      ...stack('vision'),
      imageSize: config.number('image_size'),
      patchSize: config.number('patch_size'),
    },
    projection: config.number('projection'),
  };
}

/** The texts of a case, from the inputs of these names. */
export function textBatch(context: CaseContext, ids: string, mask: string): TextBatch {
  const { shape, data } = integers(context, ids);
  const [count, length] = shape as [number, number];
  return { ids: data, mask: integers(context, mask).data, count, length };
}

function encode(context: CaseContext, { text, vision }: Prompts) {
  const { parameters } = context;
  const config = clipConfig(context.config);
  const texts = new ClipTextEncoder(parameters, config).encode(textBatch(context, 'ids', 'mask'), text);
  const images = new ClipImageEncoder(parameters, config).encode(input(context, 'pixels'), vision);
  const tokens = realTokens(context, texts);
  return readResults({
    text_tokens: tokens,
    text_embeds: texts.embeds,
    image_tokens: images.tokens,
    image_embeds: images.embeds,
    loss: probe(tokens, texts.embeds, images.tokens, images.embeds),
  });
}

/** The token features with those of padding set to zero: what stands there is nobody's business. */
function realTokens(context: CaseContext, { tokens }: TextFeatures): Tensor {
  const { shape, data } = integers(context, 'mask');
  const [count, length] = shape as [number, number];
  const total = tokens.shape[1]!;
  const real = new Float32Array(count * total).fill(1);
  for (let b = 0; b < count; b++) {
    real.set(data.subarray(b * length, (b + 1) * length), b * total + total - length);
  }
  return mul(tokens, context.device.tensor([count, total, 1], real));
}
