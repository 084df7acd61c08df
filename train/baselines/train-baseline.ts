// Trains a baseline, one of model/baselines, by its own loss, and keeps its best epoch by validation MRR. Rerankers, which need
// a trained one before them, are trained by train-reranker.ts.

import { join } from 'node:path';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { encoderHashes, ownEncoders } from '../../link/baselines/own-encoders.ts';
import { originOf, type Session } from '../../link/session.ts';
import { rankSplit } from '../../link/split.ts';
import { trainedTensors } from '../../model/baselines/baseline.ts';
import { buildBaseline, findBaseline } from '../../model/baselines/registry.ts';
import { findReranker } from '../../model/baselines/rerankers.ts';
import { metricsOf } from '../../ranking/metrics.ts';
import { imagesOf } from '../batch-inputs.ts';
import { batchesPerEpoch, epochBatches, fractionOf } from '../batches.ts';
import { checkConfig } from '../config/check.ts';
import { type BaselineTraining, baselineSchema } from '../config/schemas.ts';
import type { LossGradients } from '../experts/encode-in-chunks.ts';
import { type FitResult, fit } from '../fit.ts';
import type { TrainingHooks } from '../hooks.ts';
import { sessionOfKinds } from '../mentions-of-kinds.ts';
import { RandomStream } from '../random-stream.ts';
import { baselineBatches, baselineGradients } from './baseline-step.ts';
import { groupOptimiser } from './group-optimiser.ts';
import { ownMistakes } from './own-mistakes.ts';
import { trainReranker } from './train-reranker.ts';

/**
 * Trains a baseline on an open session and writes RUN/SYSTEM/best.safetensors, last.safetensors and metrics.jsonl once it is
 * finished. Pretrained encoders that it trains are its own: the session's CLIP stays as it is. Throws ConfigError for a field
 * that is not valid or does not suit the data, InputError for options that the baseline does not have, and what `fit` throws.
 */
export async function trainBaseline(
  config: BaselineTraining,
  session: Session,
  hooks: TrainingHooks = {},
): Promise<FitResult> {
  const checked = checkConfig(baselineSchema, config);
  const chosen = sessionOfKinds(session, checked.training.kinds);
  const isReranker = findReranker(checked.baseline.system) !== null;
  return isReranker ? trainReranker(checked, chosen, hooks) : train(checked, chosen, hooks);
}

async function train(config: BaselineTraining, session: Session, hooks: TrainingHooks): Promise<FitResult> {
  const { device, corpus, features } = session;
  const { baseline: about, training } = config;
  const { seed, epochs, batchSize, learningRate, patience } = training;
  const rows = fractionOf(corpus.gold.train.length, training.trainFraction, new RandomStream(seed));
  const stepsPerEpoch = batchesPerEpoch(rows.length, batchSize);
  const random = new Random(seed);
  const parts = { device, clip: session.clip, own: ownEncoders(session), random };
  const baseline = await buildBaseline(about.system, parts, 'baseline.options', about.options);
  const parameters = trainedTensors(baseline);
  const { adam, step } = groupOptimiser(baseline, training);
  const source = baseline.pixelSource(features);
  let inputs: Record<'mention' | 'entity', unknown>;

  function takeStep(factor: number, { loss, gradients }: LossGradients): Tensor {
    step(factor, gradients);
    baseline.afterStep();
    return loss;
  }

  try {
    return await fit(
      {
        device,
        folder: join(config.run.folder, about.system),
        schema: baselineSchema,
        config,
        madeFrom: {
          ...(await originOf(session)),
          ...(await encoderHashes(session, findBaseline(about.system)!.encoders)),
        },
        epochs,
        stepsPerEpoch,
        schedule: training.schedule,
        warmupSteps: Math.round(training.warmup * epochs * stepsPerEpoch),
        finalRate: training.finalRate,
        learningRate,
        patience,
        parameters,
        adams: { adam },
        random,
        async begin() {
          const { mentions, entities } = corpus;
          inputs = {
            mention: await baseline.trainingInputs(
              'mention',
              mentions.train,
              imagesOf(mentions.train),
              features,
            ),
            entity: await baseline.trainingInputs('entity', entities, imagesOf(entities), features),
          };
          for (const line of baseline.takeWarnings?.() ?? []) hooks.onWarning?.(line);
        },
        async *steps(draws, epoch) {
          const { mentions, gold, entities } = corpus;
          const isHard = training.hardNegatives > 0 && epoch > epochs - training.hardEpochs;
          const hard = isHard
            ? await ownMistakes(session, baseline, rows, training.hardNegatives, hooks)
            : null;
          const options = { size: batchSize, ...(hard ? { hard } : {}) };
          const batches = epochBatches(rows, mentions.train, gold.train, entities, options, draws);
          for await (const batch of baselineBatches(source, inputs, batches)) {
            yield {
              examples: batch.mention.rows.length,
              take: (factor, random) =>
                takeStep(factor, baselineGradients(baseline, batch, training.encodeChunk, random)),
            };
          }
        },
        async validate() {
          // Trained encoders give other features every epoch: nothing to keep, and too many of a large knowledge base to hold.
          const from = source ? { ...features, cache: '' } : features;
          const dev = metricsOf(await rankSplit(session, baseline, 'dev', from));
          for (const line of baseline.takeRemarks?.() ?? []) hooks.onWarning?.(line);
          for (const each of new Set([features.source, ...(source ? [source] : [])])) {
            for (const line of each.takeProblems(config.data.folder)) hooks.onWarning?.(line);
          }
          return { dev };
        },
      },
      hooks,
    );
  } finally {
    adam.release();
    for (const tensor of parameters.values()) tensor.release();
  }
}
