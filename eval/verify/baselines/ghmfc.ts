// Kind `ghmfc`: its network over a BERT that reads both sides, all weights trained, on patch tokens that are given.

import { add, mul } from '../../../engine/ops/elementwise.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { Ghmfc } from '../../../model/baselines/ghmfc/ghmfc.ts';
import { Bert, firstTokens } from '../../../model/bert/bert.ts';
import { hingeLoss, ntXent } from '../../../model/loss.ts';
import { bertConfig } from '../bert.ts';
import { textBatch } from '../clip.ts';
import { input, integers, type Kind, readResults } from '../kind.ts';

export const ghmfc: Kind = (context) =>
  context.device.scope(() => {
    const { config, device, parameters } = context;
    const bert = new Bert(parameters.under('bert'), bertConfig(config));
    const network = new Ghmfc(parameters, {
      width: config.number('head_width'),
      heads: config.number('head_heads'),
      hidden: config.number('head_hidden'),
      layers: config.number('head_layers'),
      textWidth: bert.config.width,
      patchWidth: config.number('patch_width'),
    });
    const encode = (side: 'mention' | 'entity') => {
      const texts = textBatch(context, `${side}_ids`, `${side}_mask`);
      return { texts, hidden: bert.encode({ ...texts, types: integers(context, `${side}_types`).data }) };
    };
    const { texts, hidden } = encode('mention');
    const m = network.mention(hidden, texts.mask, input(context, 'mention_patches'));
    const entities = network.entity(firstTokens(encode('entity').hidden));
    const scores = matmul(m.vector, entities, { transposeB: true });
    const hinge = hingeLoss(scores, integers(context, 'entity').data, config.number('margin'));
    const contrast = ntXent(m.text, m.image, config.number('temperature'));
    const real = device.tensor([texts.count, texts.length, 1], Float32Array.from(texts.mask));
    return readResults({
      // What stands on padding is nobody's business.
      mention_text: mul(m.textTokens, real),
      mention_vectors: m.vector,
      entity_vectors: entities,
      scores,
      hinge,
      contrast,
      loss: add(hinge, contrast),
    });
  });
