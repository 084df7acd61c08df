// Kind `units`: the three scoring units on features that are given.

import type { Features, TextFeatures } from '../../model/clip/clip.ts';
import { crossModalUnit } from '../../model/dsmip/cross-modal-unit.ts';
import { scoredImage, scoredText } from '../../model/dsmip/scoring-features.ts';
import { textUnit } from '../../model/dsmip/text-unit.ts';
import { visionUnit } from '../../model/dsmip/vision-unit.ts';
import { type CaseContext, input, type Kind, probe, readResults } from './kind.ts';

export const units: Kind = (context) =>
  context.device.scope(() => {
    const { parameters: p } = context;
    const h = context.config.number('hidden');
    const [mention, entity] = (['mention', 'entity'] as const).map((side) => {
      const { text, image } = givenFeatures(context, side);
      return { text: scoredText(p, text), image: scoredImage(p, h, image) };
    });
    const text = textUnit(p, h, mention!.text, entity!.text);
    const vision = visionUnit(p, h, mention!.image, entity!.image);
    const cross_modal = crossModalUnit(p, h, mention!, entity!);
    return readResults({ text, vision, cross_modal, loss: probe(text, vision, cross_modal) });
  });

function givenFeatures(context: CaseContext, side: string): { text: TextFeatures; image: Features } {
  const of = (name: string) => input(context, `${side}_${name}`);
  return {
    text: { embeds: of('text_cls'), tokens: of('text_tokens'), mask: of('mask') },
    image: { embeds: of('image_cls'), tokens: of('image_tokens') },
  };
}
