// Trains a baseline, one of model/baselines, by its own loss, and keeps its best epoch by validation MRR.

import { join } from 'node:path';
import { backward } from '../../engine/autograd.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { originOf, type Session, withTrainableClip } from '../../link/session.ts';
import { prepareSplit, rankPrepared, rankSplit } from '../../link/split.ts';
import type { AnyBaseline } from '../../model/baselines/baseline.ts';
import { buildBaseline, findBaseline } from '../../model/baselines/registry.ts';
import { type Metrics, metricsOf } from '../../ranking/metrics.ts';
import { batchInputs, trainingTables } from '../batch-inputs.ts';
import { type Batch, batchesPerEpoch, epochBatches, fractionOf } from '../batches.ts';
import { checkConfig } from '../config/check.ts';
import { type BaselineTraining, baselineSchema } from '../config/schemas.ts';
import type { LossGradients } from '../experts/encode-in-chunks.ts';
import { type FitResult, fit } from '../fit.ts';
import type { TrainingHooks } from '../hooks.ts';
import { sessionOfKinds } from '../mentions-of-kinds.ts';
import { RandomStream } from '../random-stream.ts';
import { decay } from '../weight-decay.ts';
import { baselineGradients } from './baseline-step.ts';

/**
 * Trains a baseline on an open session and writes RUN/SYSTEM/best.safetensors, last.safetensors and metrics.jsonl once it is
 * finished. One that trains CLIP trains one of its own: the session's stays as it is. Throws ConfigError for a field that is
 * not valid or does not suit the data, InputError for options that the baseline does not have, and what `fit` throws.
 */
export async function trainBaseline(
  config: BaselineTraining,
  session: Session,
  hooks: TrainingHooks = {},
): Promise<FitResult> {
  const checked = checkConfig(baselineSchema, config);
  const chosen = sessionOfKinds(session, checked.training.kinds);
  if (!findBaseline(checked.baseline.system)!.trainsClip) return train(checked, chosen, hooks);
  const own = await withTrainableClip(chosen);
  try {
    return await train(checked, own, hooks);
  } finally {
    own.close();
  }
}

async function train(config: BaselineTraining, session: Session, hooks: TrainingHooks): Promise<FitResult> {
  const { device, corpus, features } = session;
  const { baseline: about, training } = config;
  const { seed, epochs, batchSize, learningRate } = training;
  const rows = fractionOf(corpus.gold.train.length, training.trainFraction, new RandomStream(seed));
  const stepsPerEpoch = batchesPerEpoch(rows.length, batchSize);
  const random = new Random(seed);
  const parts = { device, clip: session.clip, random };
  const baseline = buildBaseline(about.system, parts, 'baseline.options', about.options);
  const { decayed, others } = baseline.groups;
  const parameters = new Map([...decayed, ...others]);
  // One optimiser for both groups, so that the norm that is clipped is that of all gradients.
  const adam = new Adam([...parameters.values()], { lr: learningRate });
  let work: TrainingWork;

  function takeStep(factor: number, { loss, gradients }: LossGradients): Tensor {
    const lr = factor * learningRate;
    decay(decayed.values(), 1 - lr * training.weightDecay);
    adam.step(gradients, { lr, ...(training.clipNorm > 0 ? { clipNorm: training.clipNorm } : {}) });
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
        madeFrom: originOf(session),
        epochs,
        stepsPerEpoch,
        schedule: training.schedule,
        warmupSteps: Math.round(training.warmup * epochs * stepsPerEpoch),
        learningRate,
        parameters,
        adams: { adam },
        random,
        async begin() {
          work = baseline.isFrozen
            ? await frozenWork(session, baseline)
            : encodingWork(session, baseline, training.encodeChunk);
        },
        async *steps(draws) {
          const { mentions, gold, entities } = corpus;
          const options = { size: batchSize };
          const batches = epochBatches(rows, mentions.train, gold.train, entities, options, draws);
          for await (const { examples, make } of work.steps(batches)) {
            yield { examples, take: (factor) => takeStep(factor, make()) };
          }
        },
        async validate() {
          const dev = await work.validate();
          for (const line of features.source.takeProblems(config.data.folder)) hooks.onWarning?.(line);
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

/** A batch, and what makes its loss and gradients; call it in a scope. */
interface WorkStep {
  examples: number;
  make: () => LossGradients;
}

/** How the parts of an epoch are done. */
interface TrainingWork {
  steps(batches: readonly Batch[]): Iterable<WorkStep> | AsyncIterable<WorkStep>;
  validate(): Promise<Metrics>;
}

/** On what frozen encoders made of all samples, once. */
async function frozenWork(session: Session, baseline: AnyBaseline): Promise<TrainingWork> {
  const tables = await trainingTables<unknown>(session, baseline);
  const dev = await prepareSplit(session, [baseline], 'dev');
  return {
    *steps(batches) {
      for (const { mentions, mentionImages, entities, entityImages } of batches) {
        const make = () => {
          const m = baseline.mentionSide({ inputs: tables.mention, rows: mentions, images: mentionImages });
          const e = baseline.entitySide({ inputs: tables.entity, rows: entities, images: entityImages });
          const loss = baseline.loss(m, e, Int32Array.from(entities));
          return { loss, gradients: backward(loss) };
        };
        yield { examples: mentions.length, make };
      }
    },
    async validate() {
      return (await rankPrepared(baseline, dev)).metrics;
    },
  };
}

/** Through encoders that are trained, `chunk` samples of a side at a time; 0: all at once. */
function encodingWork(session: Session, baseline: AnyBaseline, chunk: number): TrainingWork {
  const { features } = session;
  return {
    async *steps(batches) {
      for await (const { batch, input } of batchInputs(session, batches, true)) {
        yield { examples: batch.mentions.length, make: () => baselineGradients(baseline, input, chunk) };
      }
    },
    // Encoders that are still being trained give other features every epoch: nothing to keep.
    async validate() {
      return metricsOf(await rankSplit(session, baseline, 'dev', { ...features, cache: '' }));
    },
  };
}
