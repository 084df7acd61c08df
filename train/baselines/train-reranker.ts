// Trains a reranker on what its first stage, a trained baseline of the same run, proposes for the training mentions: softmax
// cross-entropy over the N candidates, of mentions whose entity is among them. A missing one is never put in, neither here nor
// where mentions are ranked.

import { join } from 'node:path';
import { firstImage } from '../../encoding/samples.ts';
import { backward } from '../../engine/autograd.ts';
import { crossEntropy } from '../../engine/ops/cross-entropy.ts';
import { reshape } from '../../engine/ops/shape.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { contentStamp } from '../../files/content-stamp.ts';
import { InputError, UsageError } from '../../files/errors.ts';
import { isThere } from '../../files/locate.ts';
import { firstStages } from '../../link/baselines/first-stage.ts';
import { encoderHashes, ownEncoders } from '../../link/baselines/own-encoders.ts';
import { loadBaseline } from '../../link/baselines/trained-baselines.ts';
import { originOf, type Session } from '../../link/session.ts';
import { bestFile } from '../../link/trained.ts';
import { trainedTensors } from '../../model/baselines/baseline.ts';
import { buildReranker, findReranker } from '../../model/baselines/rerankers.ts';
import { metricsOf } from '../../ranking/metrics.ts';
import { listOf } from '../../ranking/pair-lists.ts';
import { type Candidates, isCandidate } from '../../ranking/retrieval.ts';
import { rankTwoStages } from '../../ranking/two-stages.ts';
import { imagesOf } from '../batch-inputs.ts';
import { batchesPerEpoch, fractionOf } from '../batches.ts';
import { type BaselineTraining, baselineSchema } from '../config/schemas.ts';
import { type FitResult, fit } from '../fit.ts';
import type { TrainingHooks } from '../hooks.ts';
import { RandomStream } from '../random-stream.ts';
import { groupOptimiser } from './group-optimiser.ts';

/** Trains on an open session, by fields that were checked, and writes RUN/SYSTEM. Throws as `trainBaseline` does. */
export async function trainReranker(
  config: BaselineTraining,
  session: Session,
  hooks: TrainingHooks,
): Promise<FitResult> {
  const { device, corpus, features } = session;
  const { baseline: about, training } = config;
  const { seed, epochs, batchSize, learningRate, patience } = training;
  const system = findReranker(about.system)!;
  const random = new Random(seed);
  const parts = { device, clip: session.clip, own: ownEncoders(session), random };
  const reranker = await buildReranker(about.system, parts, 'baseline.options', about.options);
  const parameters = trainedTensors(reranker);
  const { adam, step } = groupOptimiser(reranker, training);
  try {
    const firstFile = bestFile(config.run.folder, system.firstStage);
    if (!(await isThere(firstFile))) {
      throw new UsageError(`${firstFile}: is not there; train ${system.firstStage} in that run first`);
    }
    const first = await loadBaseline(session, config.run.folder, system.firstStage);
    const N = reranker.candidates;
    const splits = ['train', 'dev'] as const;
    const stages = await firstStages(session, first.baseline, splits, N, features).finally(first.release);
    const asked = fractionOf(corpus.gold.train.length, training.trainFraction, new RandomStream(seed));
    const rows = proposedOf(stages.train.candidates, corpus.gold.train, asked);
    if (rows.length < asked.length) {
      hooks.onWarning?.(
        `training mentions whose entity is not among the ${N} candidates: ${asked.length - rows.length} of ${asked.length}`,
      );
    }
    const stepsPerEpoch = batchesPerEpoch(rows.length, batchSize);
    const inputs = {
      mention: await reranker.prepare(
        'mention',
        corpus.mentions.train,
        imagesOf(corpus.mentions.train),
        features,
      ),
      entity: await reranker.prepare('entity', corpus.entities, imagesOf(corpus.entities), features),
    };
    for (const line of reranker.takeWarnings?.() ?? []) hooks.onWarning?.(line);

    function takeStep(batch: readonly number[], factor: number, draws: Random): Tensor {
      const lists = batch.map((row) => listOf(stages.train.candidates, row));
      const mentions = lists.flatMap((list, i) => Array.from(list, () => batch[i]!));
      const entities = lists.flatMap((list) => [...list]);
      const scores = reranker.pairScores(
        {
          inputs: inputs.mention,
          rows: mentions,
          images: mentions.map((row) => firstImage(corpus.mentions.train, row)),
        },
        {
          inputs: inputs.entity,
          rows: entities,
          images: entities.map((row) => firstImage(corpus.entities, row)),
        },
        draws,
      );
      const right = Int32Array.from(batch, (row, i) => lists[i]!.indexOf(corpus.gold.train[row]!));
      const targets = device.tensor([batch.length], right);
      const loss = crossEntropy(reshape(scores, [batch.length, lists[0]!.length]), targets);
      step(factor, backward(loss));
      return loss;
    }

    return await fit(
      {
        device,
        folder: join(config.run.folder, about.system),
        schema: baselineSchema,
        config,
        madeFrom: {
          ...(await originOf(session)),
          ...(await encoderHashes(session, system.encoders)),
          firstStage: await contentStamp(firstFile),
        },
        epochs,
        stepsPerEpoch,
        schedule: training.schedule,
        warmupSteps: Math.round(training.warmup * epochs * stepsPerEpoch),
        learningRate,
        patience,
        parameters,
        adams: { adam },
        random,
        async begin() {},
        *steps(draws) {
          const order = draws.shuffled(rows);
          for (let i = 0; i + 1 < order.length; i += batchSize) {
            const batch = order.slice(i, i + batchSize);
            yield {
              examples: batch.length,
              take: (factor, random) => takeStep(batch, factor, random),
            };
          }
        },
        async validate() {
          const dev = { mentions: corpus.mentions.dev, entities: corpus.entities, gold: corpus.gold.dev };
          const { ranks, recall } = await rankTwoStages(reranker, stages.dev, { ...dev, features, top: 0 });
          return { dev: metricsOf(ranks), line: { recall } };
        },
      },
      hooks,
    );
  } finally {
    adam.release();
    for (const tensor of parameters.values()) tensor.release();
  }
}

/** The mentions whose entity the first stage proposes. Throws InputError where these are too few to learn from. */
function proposedOf(candidates: Candidates, gold: Int32Array, rows: readonly number[]): number[] {
  const proposed = rows.filter((row) => isCandidate(candidates, row, gold[row]!));
  if (proposed.length >= 2) return proposed;
  throw new InputError(
    `${proposed.length} training mentions have their entity among the candidates: expected at least 2`,
  );
}
