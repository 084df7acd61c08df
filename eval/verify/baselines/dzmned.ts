// Kind `dzmned`: both sides, from token features or ids, bytes and image features to the hinge loss.

import { matmul } from '../../../engine/ops/matmul.ts';
import { Dzmned, type DzmnedConfig, type DzmnedInput } from '../../../model/baselines/dzmned/dzmned.ts';
import { hingeLoss } from '../../../model/loss.ts';
import type { CaseConfig } from '../case.ts';
import { type CaseContext, input, integers, type Kind, readResults } from '../kind.ts';
import { isStatic, symbolRows } from './token-ids.ts';

export const dzmned: Kind = (context) =>
  context.device.scope(() => {
    const { config, parameters } = context;
    const network = new Dzmned(parameters, dzmnedConfig(config));
    const [mention, entity] = (['mention', 'entity'] as const).map((side) =>
      network.encode(sideInput(context, side)),
    );
    const scores = matmul(mention!.vectors, entity!.vectors, { transposeB: true });
    return readResults({
      mention_words: mention!.words,
      mention_characters: mention!.characters,
      mention_alpha: mention!.alpha,
      mention_vectors: mention!.vectors,
      entity_alpha: entity!.alpha,
      entity_vectors: entity!.vectors,
      scores,
      loss: hingeLoss(scores, integers(context, 'entity').data, config.number('margin')),
    });
  });

function sideInput(context: CaseContext, side: string): DzmnedInput {
  const text = isStatic(context.config)
    ? { ids: symbolRows(context, `${side}_ids`, `${side}_mask`) }
    : { tokens: input(context, `${side}_tokens`), mask: input(context, `${side}_mask`) };
  const names = symbolRows(context, `${side}_bytes`, `${side}_byte_mask`);
  return { text, names, image: input(context, `${side}_image`) };
}

function dzmnedConfig(config: CaseConfig): DzmnedConfig {
  return {
    vocabulary: isStatic(config) ? config.number('vocab') : null,
    tokenWidth: config.number('token_width'),
    imageWidth: config.number('image_width'),
    wordHidden: config.number('word_hidden'),
    byteWidth: config.number('byte_width'),
    byteHidden: config.number('byte_hidden'),
    modalityWidth: config.number('modality_width'),
    jointWidth: config.number('joint_width'),
    lexicalWidth: config.number('lexical_width'),
    lambda: config.number('lambda'),
  };
}
