// Kind `albef`: ALBEF as a baseline, all of it trained.

import { exp, mul } from '../../../engine/ops/elementwise.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { Albef, type AlbefConfig } from '../../../model/albef/albef.ts';
import { AlbefFusionHead, encodeSide } from '../../../model/baselines/albef/albef-vectors.ts';
import { contrastiveLoss } from '../../../model/loss.ts';
import { bertConfig } from '../bert.ts';
import type { CaseConfig } from '../case.ts';
import { textBatch } from '../clip.ts';
import { type CaseContext, input, integers, type Kind, readResults } from '../kind.ts';

export const albef: Kind = (context) =>
  context.device.scope(() => {
    const { parameters } = context;
    const config = albefConfig(context.config);
    const network = new Albef(parameters, config);
    const head = new AlbefFusionHead(parameters, config);
    const [mention, entity] = (['mention', 'entity'] as const).map((side) => {
      const texts = albefTexts(context, `${side}_`);
      const images = network.encodeImage(input(context, `${side}_pixels`));
      return { ...encodeSide(network, head, texts, images, 'all'), mask: texts.mask };
    });
    const scaled = mul(mention!.vectors, exp(network.logitScale));
    const scores = matmul(scaled, entity!.vectors, { transposeB: true });
    return readResults({
      mention_text: realTokens(mention!.text, mention!.mask),
      mention_image: mention!.image,
      mention_fused: realTokens(mention!.fused!, mention!.mask),
      mention_vectors: mention!.vectors,
      entity_vectors: entity!.vectors,
      scores,
      loss: contrastiveLoss(scores, integers(context, 'entity').data),
    });
  });

/** The network that a case's config describes. */
export function albefConfig(config: CaseConfig): AlbefConfig {
  return {
    text: bertConfig(config),
    fusionLayer: config.number('fusion_layer'),
    vision: {
      width: config.number('vision_width'),
      hidden: config.number('vision_hidden'),
      heads: config.number('vision_heads'),
      layers: config.number('vision_layers'),
      imageSize: config.number('image_size'),
      patchSize: config.number('patch_size'),
    },
    projection: config.number('projection'),
  };
}

/** The texts of a case with their types, from the inputs of these names. */
export function albefTexts(context: CaseContext, prefix: string) {
  const types = integers(context, `${prefix}types`).data;
  return { ...textBatch(context, `${prefix}ids`, `${prefix}mask`), types };
}

/** What stands on padding is nobody's business. */
function realTokens(hidden: Tensor, mask: Int32Array): Tensor {
  const [B, L] = hidden.shape as [number, number];
  return mul(hidden, hidden.device.tensor([B, L, 1], Float32Array.from(mask)));
}
