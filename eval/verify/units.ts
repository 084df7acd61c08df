// Kind `units`: the three scoring units on features that are given.

import type { Tensor } from '../../engine/tensor.ts';
import type { Features, TextFeatures } from '../../model/clip/clip.ts';
import { ScoringUnits } from '../../model/dsmip/experts.ts';
import { expertConfig } from './expert.ts';
import { type CaseContext, input, type Kind, probe, readResults } from './kind.ts';

export const units: Kind = (context) =>
  context.device.scope(() => {
    const all = new ScoringUnits(context.parameters, 'multimodal', expertConfig(context.config));
    const [mention, entity] = (['mention', 'entity'] as const).map((side) => givenFeatures(context, side));
    const [text, vision, cross_modal] = all.unitScores(mention!, entity!) as [Tensor, Tensor, Tensor];
    return readResults({ text, vision, cross_modal, loss: probe(text, vision, cross_modal) });
  });

function givenFeatures(context: CaseContext, side: string): { text: TextFeatures; image: Features } {
  const of = (name: string) => input(context, `${side}_${name}`);
  return {
    text: { embeds: of('text_cls'), tokens: of('text_tokens'), mask: of('mask') },
    image: { embeds: of('image_cls'), tokens: of('image_tokens') },
  };
}
