// Kind `expert`: stage 1 of one expert, from tokens and pixels to the contrastive loss.

import type { Tensor } from '../../engine/tensor.ts';
import {
  type ExpertConfig,
  type ExpertInput,
  type ExpertKind,
  encodeFor,
  expertKinds,
  expertScores,
} from '../../model/dsmip/experts.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import type { ParameterStore } from '../../model/parameter-store.ts';
import type { CaseConfig } from './case.ts';
import { clipConfig, textBatch } from './clip.ts';
import { type CaseContext, input, integers, type Kind, readResults } from './kind.ts';

export const expert: Kind = (context) =>
  context.device.scope(() => {
    const kind = context.config.get<ExpertKind>('expert', `one of ${expertKinds.join(', ')}`, (value) =>
      (expertKinds as readonly unknown[]).includes(value),
    );
    const scores = scoresOf(kind, context, context.parameters);
    return readResults({ scores, loss: contrastiveLoss(scores, integers(context, 'entity').data) });
  });

/** The expert's scores [M, E] of a case's mentions and entities; `units` holds its scoring units. */
export function scoresOf(kind: ExpertKind, context: CaseContext, units: ParameterStore): Tensor {
  const config = expertConfig(context.config);
  const [mention, entity] = (['mention', 'entity'] as const).map((side) =>
    encodeFor(kind, context.parameters, config, side, expertInput(context, side)),
  );
  return expertScores(kind, units, config.hidden, mention!, entity!);
}

/** One side of a case. */
export function expertInput(context: CaseContext, side: string): Required<ExpertInput> {
  return {
    texts: textBatch(context, `${side}_ids`, `${side}_mask`),
    pixels: input(context, `${side}_pixels`),
  };
}

/** The expert that a case's config describes. */
export function expertConfig(config: CaseConfig): ExpertConfig {
  return {
    clip: clipConfig(config),
    prompts: { length: config.number('prompt_length'), depth: config.number('prompt_depth') },
    hidden: config.number('hidden'),
  };
}
