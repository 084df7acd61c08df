// Kind `clip-baseline`: CLIP as a baseline, all of it trained.

import { Random } from '../../../engine/random.ts';
import { ClipBaseline } from '../../../model/baselines/clip/clip-baseline.ts';
import { Clip } from '../../../model/clip/clip.ts';
import { contrastiveLoss } from '../../../model/loss.ts';
import { build } from '../../../model/parameter-source.ts';
import { clipConfig } from '../clip.ts';
import { expertInput } from '../expert.ts';
import { caseBatch, integers, type Kind, lengthsOf, readResults } from '../kind.ts';

export const clipBaseline: Kind = (context) =>
  context.device.scope(() => {
    const { device, parameters } = context;
    const config = clipConfig(context.config);
    const { module, tensors } = build(
      (name, { shape, start }) => parameters.parameter(name, shape, start),
      (p) => new Clip(p, config),
    );
    const clip = { module, tensors, config };
    const baseline = new ClipBaseline('all', 'clip', { device, random: new Random(0) }, clip, {});
    const [mention, entity] = (['mention', 'entity'] as const).map((side) => {
      const { texts, pixels } = expertInput(context, side);
      return caseBatch({ tokens: { ...texts, lengths: lengthsOf(texts) } }, texts.count, pixels);
    });
    const scores = baseline.scores(baseline.encodeMentions(mention!), baseline.encodeEntities(entity!));
    return readResults({
      mention_vectors: baseline.encode('mention', mention!),
      entity_vectors: baseline.encode('entity', entity!),
      scores,
      loss: contrastiveLoss(scores, integers(context, 'entity').data),
    });
  });
