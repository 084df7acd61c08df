// The text encoder's features of texts, made once or found in the cache: what experts and baselines take of them that look
// at tokens.

import { keptTable } from '../../encoding/feature-cache.ts';
import { encodeTexts, type FeatureOptions, type FeatureTable } from '../../encoding/features.ts';
import type { TextBatch, Tokens } from '../../encoding/samples.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { hashOf } from '../../files/fingerprint.ts';
import type { ClipTextEncoder } from './clip.ts';

/** The features of texts by CLIP and the prompts of its layers, a row each. */
export function textTable(
  encoder: ClipTextEncoder,
  prompts: readonly Tensor[],
  tokens: Tokens,
  { clipHash, ...features }: FeatureOptions,
): Promise<FeatureTable> {
  const { device } = encoder.tokenTable;
  const key = async () => {
    const values = await Promise.all(prompts.map((tensor) => device.read<'f32'>(tensor)));
    return hashOf(['text', clipHash, tokens.ids, tokens.mask, ...values]);
  };
  const encoding = {
    device,
    width: encoder.config.width,
    projection: encoder.embedWidth,
    prompts: prompts[0]?.shape[0] ?? 0,
    encode: (texts: TextBatch) => encoder.encode(texts, prompts),
  };
  return keptTable(features, key, encodeTexts(encoding, tokens));
}
