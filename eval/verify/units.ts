// Kind `units`: the three scoring units on features that are given.

import type { Features, TextFeatures } from '../../model/clip/clip.ts';
import { ScoringUnits } from '../../model/dsmip/experts.ts';
import { expertConfig } from './expert.ts';
import { type CaseContext, input, type Kind, probe, readResults } from './kind.ts';

export const units: Kind = (context) =>
  context.device.scope(() => {
    const all = new ScoringUnits(context.parameters, 'multimodal', expertConfig(context.config));
    const [mention, entity] = (['mention', 'entity'] as const).map((side) => {
      const { text, image } = givenFeatures(context, side);
      return { text: all.textNorms!.scored(text), image: all.imageProjections!.scored(image) };
    });
    const text = all.text!.scores(mention!.text, entity!.text);
    const vision = all.vision!.scores(mention!.image, entity!.image);
    const cross_modal = all.crossModal!.scores(mention!, entity!);
    return readResults({ text, vision, cross_modal, loss: probe(text, vision, cross_modal) });
  });

function givenFeatures(context: CaseContext, side: string): { text: TextFeatures; image: Features } {
  const of = (name: string) => input(context, `${side}_${name}`);
  return {
    text: { embeds: of('text_cls'), tokens: of('text_tokens'), mask: of('mask') },
    image: { embeds: of('image_cls'), tokens: of('image_tokens') },
  };
}
