// Kind `bert-biencoder`: one BERT for both sides, all of it trained.

import { matmul } from '../../../engine/ops/matmul.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { bertVectors } from '../../../model/baselines/bert/bert-baseline.ts';
import { LogitScale } from '../../../model/baselines/logit-scale.ts';
import { Bert } from '../../../model/bert/bert.ts';
import type { PackedText } from '../../../model/bert/packed-texts.ts';
import { contrastiveLoss } from '../../../model/loss.ts';
import { bertConfig } from '../bert.ts';
import { textBatch } from '../clip.ts';
import { type CaseContext, integers, type Kind, readResults } from '../kind.ts';

export const bertBiencoder: Kind = (context) =>
  context.device.scope(() => {
    const bert = new Bert(context.parameters, bertConfig(context.config));
    const logitScale = new LogitScale(LogitScale.declare(context.parameters));
    const [mentions, entities] = (['mention', 'entity'] as const).map((side) =>
      bertVectors(bert, packedTexts(context, side)),
    ) as [Tensor, Tensor];
    const scores = logitScale.times(matmul(mentions, entities, { transposeB: true }));
    return readResults({
      mention_vectors: mentions,
      entity_vectors: entities,
      scores,
      loss: contrastiveLoss(scores, integers(context, 'entity').data),
    });
  });

/** A side's texts without their padding. */
function packedTexts(context: CaseContext, side: 'mention' | 'entity'): PackedText[] {
  const { ids, mask, count, length } = textBatch(context, `${side}_ids`, `${side}_mask`);
  const types = integers(context, `${side}_types`).data;
  return Array.from({ length: count }, (_, row) => {
    const first = row * length;
    const end = first + mask.subarray(first, first + length).reduce((sum, real) => sum + real, 0);
    return { ids: [...ids.subarray(first, end)], types: [...types.subarray(first, end)] };
  });
}
