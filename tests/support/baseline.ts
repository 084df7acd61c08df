// What tests ask of every baseline: that it learns pairs by heart through what training calls, and how it ranks them.

import type { FeatureOptions } from '../../encoding/features.ts';
import { firstImages, type Samples } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import { type AnyBaseline, type OwnEncoders, trainedTensors } from '../../model/baselines/baseline.ts';
import type { Side } from '../../ranking/scorer.ts';
import { baselineBatches, baselineGradients } from '../../train/baselines/baseline-step.ts';

export type Pairs = Readonly<Record<Side, Samples>>;

/** For systems that have no encoders of their own. */
export const noEncoders: OwnEncoders = {
  clip: () => Promise.reject(new Error('no CLIP of its own was asked for')),
  bert: () => Promise.reject(new Error('no BERT of its own was asked for')),
  albef: () => Promise.reject(new Error('no ALBEF of its own was asked for')),
};

/** Trains on all pairs as one batch, row i of the mentions with row i of the entities, until the loss is below `enough`. */
export async function learn(
  baseline: AnyBaseline,
  pairs: Pairs,
  features: FeatureOptions,
  { lr, most, enough = 0.1 }: { lr: number; most: number; enough?: number },
): Promise<void> {
  const adam = new Adam([...trainedTensors(baseline).values()], { lr });
  const [mention, entity] = [firstImages(pairs.mention), firstImages(pairs.entity)];
  const inputs = {
    mention: await baseline.trainingInputs('mention', pairs.mention, mention.distinct, features),
    entity: await baseline.trainingInputs('entity', pairs.entity, entity.distinct, features),
  };
  const rows = mention.each.map((_, row) => row);
  const batch = { mentions: rows, mentionImages: mention.each, entities: rows, entityImages: entity.each };
  const random = new Random(7);
  for await (const step of baselineBatches(
    baseline.pixelSource(features),
    inputs,
    new Array(most).fill(batch),
  )) {
    const loss = baseline.device.scope(() => {
      const { loss, gradients } = baselineGradients(baseline, step, 0, random);
      adam.step(gradients);
      baseline.afterStep();
      return loss.item();
    });
    if ((await loss) < enough) break;
  }
  adam.release();
}

/** Scores of all mentions with all entities, from what `prepare` gives: [M, E]. */
export async function scoresOf(
  baseline: AnyBaseline,
  pairs: Pairs,
  features: FeatureOptions,
): Promise<Float32Array> {
  const sides = await Promise.all(
    (['mention', 'entity'] as const).map(async (side) => {
      const { each, distinct } = firstImages(pairs[side]);
      const inputs = await baseline.prepare(side, pairs[side], distinct, features);
      return { inputs, rows: each.map((_, row) => row), images: each };
    }),
  );
  const { device } = baseline;
  return device.scope(() =>
    device.read<'f32'>(
      noGrad(() => baseline.scores(baseline.mentionSide(sides[0]!), baseline.entitySide(sides[1]!))),
    ),
  );
}

/** Hits at 1 of n x n scores in percent, row i's own column being i. */
export function hits(scores: Float32Array): number {
  const n = Math.sqrt(scores.length);
  const rows = Array.from({ length: n }, (_, i) => i);
  const right = rows.filter((m) => rows.every((e) => e === m || scores[m * n + e]! < scores[m * n + m]!));
  return (100 / n) * right.length;
}
