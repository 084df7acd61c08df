// Kind `mimic`: the baseline MIMIC, CLIP's towers and three scoring units, all of it trained by the sum of four losses.

import type { Tensor } from '../../../engine/tensor.ts';
import { Mimic } from '../../../model/baselines/mimic/mimic.ts';
import { ClipImageEncoder, ClipTextEncoder } from '../../../model/clip/clip.ts';
import { ScoringUnits } from '../../../model/dsmip/experts.ts';
import { contrastiveLoss } from '../../../model/loss.ts';
import { build, declared } from '../../../model/parameter-source.ts';
import { clipConfig } from '../clip.ts';
import { expertInput } from '../expert.ts';
import { caseBatch, integers, type Kind, lengthsOf, readResults } from '../kind.ts';

export const mimic: Kind = (context) =>
  context.device.scope(() => {
    const { device, parameters } = context;
    const [config, hidden] = [clipConfig(context.config), context.config.number('hidden')];
    const towers = build(
      (name, { shape, start }) => parameters.parameter(name, shape, start),
      (p) => ({ text: new ClipTextEncoder(p, config), vision: new ClipImageEncoder(p, config) }),
    );
    const system = new Mimic(
      'mimic',
      { device, random: null },
      { ...towers, config },
      { hidden, unitRate: 1 },
    );
    const own = new Map([...system.groups.decayed, ...system.groups.others]);
    for (const [name, { shape, start }] of declared(
      (p) => new ScoringUnits(p, 'multimodal', { clip: config, hidden }),
    )) {
      device.copy(parameters.parameter(name, shape, start), own.get(name)!);
    }
    const [mention, entity] = (['mention', 'entity'] as const).map((side) => {
      const { texts, pixels } = expertInput(context, side);
      return caseBatch({ ...texts, lengths: lengthsOf(texts) }, texts.count, pixels);
    });
    const { mentions: m, entities: e } = system.encodeBoth(mention!, entity!);
    const columns = integers(context, 'entity').data;
    const scores = system.scores(m, e);
    const [text, vision, crossModal] = system.unitScores(m, e) as [Tensor, Tensor, Tensor];
    return readResults({
      scores,
      text_scores: text,
      vision_scores: vision,
      cross_modal_scores: crossModal,
      all_loss: contrastiveLoss(scores, columns),
      text_loss: contrastiveLoss(text, columns),
      vision_loss: contrastiveLoss(vision, columns),
      cross_modal_loss: contrastiveLoss(crossModal, columns),
      loss: system.loss(m, e, columns),
    });
  });
