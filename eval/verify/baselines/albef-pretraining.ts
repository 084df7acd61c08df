// Kind `albef-pretraining`: the losses by which the tiny ALBEF is pretrained, of all its weights, with the noise of the draws
// given.

import { AlbefStudent, pairLosses } from '../../../train/albef-pretraining/pair-losses.ts';
import { input, integers, type Kind, readResults } from '../kind.ts';
import { albefConfig, albefTexts } from './albef.ts';

export const albefPretraining: Kind = (context) =>
  context.device.scope(() => {
    const student = new AlbefStudent(context.parameters, albefConfig(context.config));
    const batch = {
      texts: albefTexts(context, ''),
      pixels: input(context, 'pixels'),
      entities: [...integers(context, 'entity').data],
    };
    const noise = { images: input(context, 'image_noise'), texts: input(context, 'text_noise') };
    const { similarity, negatives, logits, contrast, matching, total } = pairLosses(
      student,
      batch,
      noise,
      context.config.number('max_scale'),
    );
    return readResults({
      similarity,
      negative_images: negatives.images,
      negative_texts: negatives.texts,
      logits,
      contrast,
      matching,
      loss: total,
    });
  });
