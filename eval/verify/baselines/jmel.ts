// Kind `jmel`: both branches, from text embeds or token ids and image features to the hinge loss.

import { matmul } from '../../../engine/ops/matmul.ts';
import { Jmel } from '../../../model/baselines/jmel/jmel.ts';
import { hingeLoss } from '../../../model/loss.ts';
import { input, integers, type Kind, readResults } from '../kind.ts';
import { isStatic, symbolRows } from './token-ids.ts';

export const jmel: Kind = (context) =>
  context.device.scope(() => {
    const { config, parameters } = context;
    const hasIds = isStatic(config);
    const network = new Jmel(parameters, {
      tokens: hasIds ? { vocabulary: config.number('vocab'), buckets: config.number('buckets') } : null,
      textWidth: config.number('text_width'),
      imageWidth: config.number('image_width'),
      branchWidth: config.number('branch_width'),
      jointWidth: config.number('joint_width'),
    });
    const [mention, entity] = (['mention', 'entity'] as const).map((side) =>
      network.encode(side, {
        text: hasIds ? symbolRows(context, `${side}_ids`, `${side}_mask`) : input(context, `${side}_text`),
        image: input(context, `${side}_image`),
      }),
    );
    const scores = matmul(mention!, entity!, { transposeB: true });
    return readResults({
      mention_vectors: mention!,
      entity_vectors: entity!,
      scores,
      loss: hingeLoss(scores, integers(context, 'entity').data, config.number('margin')),
    });
  });
