// Stage 1: trains one expert alone with the contrastive loss, and keeps its best epoch by validation MRR.

import { join } from 'node:path';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import { originOf, type Session, withTrainableClip } from '../../link/session.ts';
import { rankSplit } from '../../link/split.ts';
import { expertShape } from '../../link/trained-shapes.ts';
import { Expert } from '../../model/dsmip/expert-model.ts';
import { metricsOf } from '../../ranking/metrics.ts';
import { trainingTables } from '../batch-inputs.ts';
import { batchesPerEpoch, epochBatches, fractionOf, holdOut } from '../batches.ts';
import { checkConfig } from '../config/check.ts';
import { type ExpertTraining, expertSchema } from '../config/schemas.ts';
import { type FitResult, fit, type Step } from '../fit.ts';
import type { TrainingHooks } from '../hooks.ts';
import { sessionOfKinds } from '../mentions-of-kinds.ts';
import { RandomStream } from '../random-stream.ts';
import { encodingSteps, frozenSteps, type LossStep } from './expert-batches.ts';
import { hardCandidates } from './hard-negatives.ts';
import { choiceOf, chooseChunk, stepPlan, usualMemory } from './memory-estimate.ts';

/**
 * Trains an expert on an open session and writes RUN/EXPERT/best.safetensors, last.safetensors and metrics.jsonl once it is
 * finished. Throws ConfigError for a field that is not valid or does not suit the data, and what `fit` throws.
 */
export async function trainExpert(
  config: ExpertTraining,
  session: Session,
  hooks: TrainingHooks = {},
): Promise<FitResult> {
  const checked = checkConfig(expertSchema, config);
  const chosen = sessionOfKinds(session, checked.training.kinds);
  if (!checked.expert.finetuneEncoder) return train(checked, chosen, hooks);
  const own = await withTrainableClip(chosen);
  try {
    return await train(checked, own, hooks);
  } finally {
    own.close();
  }
}

async function train(config: ExpertTraining, session: Session, hooks: TrainingHooks): Promise<FitResult> {
  const { device, corpus, features } = session;
  const { training } = config;
  const { epochs, batchSize, learningRate, schedule } = training;
  const fraction = fractionOf(
    corpus.gold.train.length,
    training.trainFraction,
    new RandomStream(training.seed),
  );
  const { kept: rows } = holdOut(fraction, training.holdOut);
  const stepsPerEpoch = batchesPerEpoch(rows.length, batchSize);
  const random = new Random(training.seed);
  const { kind, prompts, localStart } = config.expert;
  const starts = { prompts: prompts.start, local: localStart };
  const expert = new Expert(device, kind, session.clip, expertShape(config.expert), random, starts);
  const chunk = await encodeChunkFor(config, expert, session, rows.length, hooks);
  const adam = new Adam([...expert.trained.values()], { lr: learningRate });

  let steps: (draws: RandomStream) => Iterable<Step> | AsyncIterable<Step>;
  try {
    return await fit(
      {
        device,
        folder: join(config.run.folder, kind),
        schema: expertSchema,
        // What was chosen by memory belongs to the training: another chunk sums in another order.
        config: { ...config, training: { ...training, encodeChunk: chunk } },
        madeFrom: originOf(session),
        epochs,
        stepsPerEpoch,
        schedule,
        learningRate,
        parameters: expert.trained,
        adams: { adam },
        random,
        async begin() {
          const hard = await hardCandidates(session, rows, training);
          const frozen = expert.isFrozen ? await trainingTables(session, expert) : null;
          const imageDropout = {
            mention: training.mentionImageDropout,
            entity: training.entityImageDropout,
          };
          const options = { size: batchSize, imageDropout, ...(hard ? { hard } : {}) };
          steps = (draws) => {
            const batches = epochBatches(
              rows,
              corpus.mentions.train,
              corpus.gold.train,
              corpus.entities,
              options,
              draws,
            );
            const made = frozen
              ? frozenSteps(expert, frozen, batches)
              : encodingSteps(session, expert, batches, chunk);
            return adamSteps(made, adam, learningRate);
          };
        },
        steps: (draws) => steps(draws),
        async validate() {
          // Prompts that are still being trained give other features every epoch: nothing to keep.
          const from = expert.isFrozen ? features : { ...features, cache: '' };
          const dev = metricsOf(await rankSplit(session, expert, 'dev', from));
          for (const line of features.source.takeProblems(config.data.folder)) hooks.onWarning?.(line);
          return { dev };
        },
      },
      hooks,
    );
  } finally {
    adam.release();
    for (const tensor of expert.trained.values()) tensor.release();
  }
}

async function* adamSteps(
  made: Iterable<LossStep> | AsyncIterable<LossStep>,
  adam: Adam,
  learningRate: number,
): AsyncGenerator<Step> {
  for await (const { batch, make } of made) {
    yield {
      examples: batch.mentions.length,
      take(factor) {
        const { loss, gradients } = make();
        adam.step(gradients, { lr: learningRate * factor });
        return loss;
      },
    };
  }
}

/** How many texts or images to encode at a time, 0 for all; tells what a step will take. */
async function encodeChunkFor(
  { expert: about, training }: ExpertTraining,
  expert: Expert,
  { corpus }: Session,
  rows: number,
  { onEvent }: TrainingHooks,
): Promise<number> {
  const { device, config } = expert;
  if (expert.isFrozen) return 0;
  const plan = stepPlan(about, config.clip, Math.min(rows, training.batchSize), training.hardNegatives, {
    mention: corpus.mentions.train.tokens.length,
    entity: corpus.entities.tokens.length,
  });
  const { encodeChunk, memoryGB } = training;
  const isWhole =
    encodeChunk !== 'auto' && encodeChunk >= Math.max(plan.samples.mention, plan.samples.entity);
  const limit = memoryGB > 0 ? 1e9 * memoryGB : usualMemory(device);
  const { chunk, memory } =
    encodeChunk === 'auto'
      ? await chooseChunk(device, plan, limit)
      : await choiceOf(device, plan, isWhole ? 0 : encodeChunk);
  onEvent?.({ type: 'memory plan', bytes: memory.peak, chunk });
  return chunk;
}
