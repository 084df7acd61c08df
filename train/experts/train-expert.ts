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
import { batchesPerEpoch, countOf, epochBatches, fractionOf, holdOut } from '../batches.ts';
import { checkConfig } from '../config/check.ts';
import { type ExpertTraining, expertSchema } from '../config/schemas.ts';
import { type Fit, type FitResult, fit, type Step } from '../fit.ts';
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
  const { epochs, batchSize, learningRate, schedule, mentionsPerEpoch } = training;
  const fraction = fractionOf(
    corpus.gold.train.length,
    training.trainFraction,
    new RandomStream(training.seed),
  );
  const { kept: rows } = holdOut(fraction, training.holdOut);
  const stepsPerEpoch = batchesPerEpoch(countOf(rows.length, mentionsPerEpoch), batchSize);
  const random = new Random(training.seed);
  const { kind, prompts, localStart } = config.expert;
  const starts = { prompts: prompts.start, local: localStart };
  const expert = new Expert(device, kind, session.clip, expertShape(config.expert), random, starts);
  const chunk = await encodeChunkFor(config, expert, session, rows.length, hooks);
  const unitEpochs = expert.isFrozen ? 0 : training.unitEpochs;
  const stepsBefore = unitEpochs * stepsPerEpoch;
  const adams = adamsOf(expert, unitEpochs > 0, learningRate);

  let steps: Fit['steps'];
  try {
    return await fit(
      {
        device,
        folder: join(config.run.folder, kind),
        schema: expertSchema,
        // What was chosen by memory belongs to the training: another chunk sums in another order.
        config: { ...config, training: { ...training, encodeChunk: chunk } },
        madeFrom: await originOf(session),
        epochs,
        stepsPerEpoch,
        stepsBefore,
        schedule,
        learningRate,
        parameters: expert.trained,
        adams,
        random,
        async begin(isResumed) {
          const hard = await hardCandidates(session, rows, training);
          const imageDropout = {
            mention: training.mentionImageDropout,
            entity: training.entityImageDropout,
          };
          const options = {
            size: batchSize,
            mentions: mentionsPerEpoch,
            imageDropout,
            ...(hard ? { hard } : {}),
          };
          const { mentions, gold, entities } = corpus;
          const batches = (draws: RandomStream) =>
            epochBatches(rows, mentions.train, gold.train, entities, options, draws);
          const frozen = expert.isFrozen ? await trainingTables(session, expert) : null;
          const before =
            unitEpochs > 0 && !isResumed ? await trainingTables(session, unprompted(expert)) : null;
          steps = async function* (draws, epoch) {
            for (let i = 0; before && epoch === 1 && i < unitEpochs; i++) {
              const made = frozenSteps(expert, before, batches(draws));
              yield* adamSteps(made, { units: adams['units']! }, learningRate);
            }
            const drawn = batches(draws);
            const made = frozen
              ? frozenSteps(expert, frozen, drawn)
              : encodingSteps(session, expert, drawn, { chunk, groups: training.textGroups });
            yield* adamSteps(made, adams, learningRate);
          };
        },
        steps: (draws, epoch) => steps(draws, epoch),
        async validate() {
          // Prompts that are still being trained give other features every epoch: nothing to keep, but of the only epoch.
          const from = expert.isFrozen || epochs === 1 ? features : { ...features, cache: '' };
          const dev = metricsOf(await rankSplit(session, expert, 'dev', from));
          for (const line of features.source.takeProblems(config.data.folder)) hooks.onWarning?.(line);
          return { dev };
        },
      },
      hooks,
    );
  } finally {
    for (const adam of Object.values(adams)) adam.release();
    for (const tensor of expert.trained.values()) tensor.release();
  }
}

/** One optimiser of all that is trained, or where the units are trained alone at first, one of them and one of the rest. */
function adamsOf(
  { trained, groups }: Expert,
  hasUnitsApart: boolean,
  lr: number,
): Readonly<Record<string, Adam>> {
  if (!hasUnitsApart) return { adam: new Adam([...trained.values()], { lr }) };
  return {
    units: new Adam([...groups.units.values()], { lr }),
    encoders: new Adam([...groups.encoders.values(), ...groups.prompts.values()], { lr }),
  };
}

/** What prepares an expert's features without its prompts. */
function unprompted(expert: Expert): Pick<Expert, 'prepare'> {
  return { prepare: (...args) => expert.prepareUnprompted(...args) };
}

async function* adamSteps(
  made: Iterable<LossStep> | AsyncIterable<LossStep>,
  adams: Readonly<Record<string, Adam>>,
  learningRate: number,
): AsyncGenerator<Step> {
  for await (const { batch, make } of made) {
    yield {
      examples: batch.mentions.length,
      take(factor) {
        const { loss, gradients } = make();
        for (const adam of Object.values(adams)) adam.step(gradients, { lr: learningRate * factor });
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
  const plan = stepPlan(about, config.clip, Math.min(rows, training.batchSize), training, {
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
