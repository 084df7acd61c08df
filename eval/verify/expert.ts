// Kind `expert`: stage 1 of one expert, from tokens and pixels to the contrastive loss.

import type { Tensor } from '../../engine/tensor.ts';
import { ClipImageEncoder, ClipTextEncoder } from '../../model/clip/clip.ts';
import {
  type ExpertConfig,
  ExpertEncoders,
  type ExpertInput,
  type ExpertKind,
  expertKinds,
  expertPrompts,
  ScoringUnits,
  usesOf,
} from '../../model/dsmip/experts.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import type { ParameterSource } from '../../model/parameter-source.ts';
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
export function scoresOf(kind: ExpertKind, context: CaseContext, units: ParameterSource): Tensor {
  const config = expertConfig(context.config);
  const encoders = encodersOf(kind, context.parameters, config);
  const [mention, entity] = (['mention', 'entity'] as const).map((side) =>
    encoders.encode(side, expertInput(context, side)),
  );
  return new ScoringUnits(units, kind, config).scores(mention!, entity!);
}

/** CLIP's encoders and the expert's prompts from one source. */
export function encodersOf(kind: ExpertKind, p: ParameterSource, config: ExpertConfig): ExpertEncoders {
  const { text, image } = usesOf(kind);
  const clip = {
    text: text ? new ClipTextEncoder(p, config.clip) : null,
    vision: image ? new ClipImageEncoder(p, config.clip) : null,
  };
  return new ExpertEncoders(kind, clip, expertPrompts(p, kind, config));
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
