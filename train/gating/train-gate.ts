// Stage 2: trains the gate and fine-tunes the scoring units of its experts, encoders and prompts frozen; keeps the best
// epoch by validation MRR. A gate that mixes probabilities is trained in train-mixture.ts.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { spreadRows } from '../../encoding/features.ts';
import { cutSamples } from '../../encoding/samples.ts';
import { backward } from '../../engine/autograd.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import type { Session } from '../../link/session.ts';
import { loadExperts } from '../../link/trained.ts';
import { readAbout } from '../../model/checkpoint.ts';
import { selectedScores } from '../../model/dsmip/dsmip.ts';
import { Dsmip, gateTrainingInputs, sideExperts } from '../../model/dsmip/dsmip-model.ts';
import type { Expert, SideTables } from '../../model/dsmip/expert-model.ts';
import { statisticsTensors } from '../../model/dsmip/gating/gate-inputs.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import type { Side } from '../../ranking/scorer.ts';
import { trainingTables } from '../batch-inputs.ts';
import { batchesPerEpoch, epochBatches, fractionOf, holdOut, someOf } from '../batches.ts';
import { ConfigError, checkConfig, decidingValues, fieldError, valueAt } from '../config/check.ts';
import { expertSchema, type GateTraining, gateSchema } from '../config/schemas.ts';
import { deceptiveCandidates } from '../experts/hard-negatives.ts';
import type { FitResult, Step } from '../fit.ts';
import type { TrainingHooks } from '../hooks.ts';
import { sessionOfKinds } from '../mentions-of-kinds.ts';
import { RandomStream } from '../random-stream.ts';
import { balanced } from './balance.ts';
import { standardise } from './calibration.ts';
import { fitGate } from './fit-gate.ts';
import { trainMixture } from './train-mixture.ts';

/** Added to pi before its logarithm. */
const eps = 1e-6;

/**
 * Trains the gate over the experts in RUN on an open session and writes RUN/gate/best.safetensors, last.safetensors and
 * metrics.jsonl once it is finished. Throws ConfigError for a field that is not valid or does not go with the experts,
 * WeightsError for an expert that is missing, damaged or of other data, and what `fit` throws.
 */
export async function trainGate(
  config: GateTraining,
  whole: Session,
  hooks: TrainingHooks = {},
): Promise<FitResult> {
  const checked = checkConfig(gateSchema, config);
  await checkRows(checked);
  const { training } = checked;
  const session = sessionOfKinds(whole, training.kinds);
  const fraction = fractionOf(
    session.corpus.gold.train.length,
    training.trainFraction,
    new RandomStream(training.seed),
  );
  const own = training.holdOut > 0 ? holdOut(fraction, training.holdOut).held : fraction;
  const rows = someOf(own, training.mentions, new RandomStream(training.seed));
  return checked.gate.form === 'mixture'
    ? trainMixture(checked, session, rows, hooks)
    : trainChoice(checked, session, rows, rows !== own, hooks);
}

/**
 * Trains a gate that chooses experts, on a checked configuration; `rows`: the training mentions to use; `areSome`: whether
 * there are more.
 */
async function trainChoice(
  checked: GateTraining,
  session: Session,
  rows: readonly number[],
  areSome: boolean,
  hooks: TrainingHooks,
): Promise<FitResult> {
  const { gate, training, run } = checked;
  if (gate.by === 'side' && `${gate.experts}` !== `${sideExperts}`) {
    throw fieldError('gate.experts', `${sideExperts} for gate.by side`, `${gate.experts}`);
  }
  const { device, corpus } = session;
  const { batchSize, learningRate, unitLearningRate } = training;
  const random = new Random(training.seed);
  const experts = await loadExperts(session, run.folder, gate.experts);
  const { inputs, statistics } = await gateTrainingInputs(session, gate);
  const dsmip = new Dsmip(session, experts, gate, statistics, random, gate.start);
  if (unitLearningRate === 0) dsmip.freezeUnits();
  const stepsPerEpoch = batchesPerEpoch(rows.length, batchSize);

  const adams = {
    ...(unitLearningRate === 0
      ? {}
      : { units: new Adam([...dsmip.units.values()], { lr: unitLearningRate }) }),
    gate: new Adam([...dsmip.gate.values()], { lr: learningRate }),
  };
  const tables: Record<Side, SideTables>[] = [];
  for (const expert of dsmip.experts) {
    tables.push(await (areSome ? someTables(session, expert, rows) : trainingTables(session, expert)));
  }
  // Before a checkpoint is restored: what deceives the experts as stage 1 left them, resumed or not.
  const hard = await deceptiveCandidates(session, dsmip.experts, tables, rows, training, hooks.onProgress);
  const options = { size: batchSize, ...(hard ? { hard } : {}) };
  const batchesOf = (draws: RandomStream) =>
    epochBatches(rows, corpus.mentions.train, corpus.gold.train, corpus.entities, options, draws);

  function* steps(draws: RandomStream): Generator<Step> {
    for (const batch of batchesOf(draws)) {
      const take = (factor: number, random: Random) => {
        const scores = dsmip.expertScores(tables, batch);
        const drop = gate.dropout > 0 ? { rate: gate.dropout, random } : undefined;
        const { z, pi } = dsmip.draw(
          { inputs: inputs.mention, rows: batch.mentions, images: batch.mentionImages },
          { inputs: inputs.entity, rows: batch.entities, images: batch.entityImages },
          { tau: gate.temperature, eps, noise: training.noise },
          random,
          drop,
        );
        const choice = contrastiveLoss(selectedScores(z, scores), Int32Array.from(batch.entities));
        const loss = pi.reduce(
          (sum, own) => balanced(sum, own, training.balance, eps, training.balanceOf),
          choice,
        );
        const gradients = backward(loss);
        adams.units?.step(gradients, { lr: factor * unitLearningRate });
        adams.gate.step(gradients, { lr: factor * learningRate });
        return loss;
      };
      yield { examples: batch.mentions.length, take };
    }
  }

  const parameters = new Map([...dsmip.units, ...dsmip.gate]);
  try {
    return await fitGate(
      checked,
      session,
      dsmip,
      {
        stepsPerEpoch,
        parameters,
        constants: statisticsTensors(statistics),
        adams,
        random,
        async begin(isResumed) {
          if (isResumed) return;
          await standardise(device, dsmip, tables, batchesOf(new RandomStream(training.seed)));
        },
        steps,
      },
      hooks,
    );
  } finally {
    for (const adam of Object.values(adams)) adam.release();
    const trained = dsmip.experts.flatMap((expert) => [...expert.trained.values()]);
    for (const tensor of new Set([...parameters.values(), ...trained])) tensor.release();
  }
}

/**
 * Both stages must take the same mentions apart: otherwise what is held out for the gate is what the experts know by
 * heart. Throws ConfigError, WeightsError.
 */
async function checkRows({ gate, training, run }: GateTraining): Promise<void> {
  const takesPart = training.holdOut > 0 || training.trainFraction < 1;
  const deciding = [
    'holdOut',
    'trainFraction',
    ...(training.trainFraction < 1 ? ['seed'] : []),
    ...(takesPart ? ['kinds'] : []),
  ];
  for (const kind of gate.experts) {
    const path = join(run.folder, kind, 'best.safetensors');
    if (!existsSync(path)) continue; // said where the experts are loaded
    const { config } = await readAbout(path);
    const values = decidingValues(expertSchema, config);
    for (const name of deciding) {
      const field = `training.${name}`;
      const own = valueAt({ training }, field);
      const theirs = values.get(field);
      if (String(theirs) === String(own)) continue;
      throw new ConfigError([field], `${field} ${own}: ${path} was trained with ${field} ${theirs}`);
    }
  }
}

/** `trainingTables` of which the mentions' has only these rows, in ascending order. */
async function someTables(
  session: Session,
  expert: Expert,
  rows: readonly number[],
): Promise<Record<Side, SideTables>> {
  const { mentions, ...corpus } = session.corpus;
  const train = cutSamples(mentions.train, rows);
  const tables = await trainingTables(
    { ...session, corpus: { ...corpus, mentions: { ...mentions, train } } },
    expert,
  );
  const { text } = tables.mention;
  if (text) tables.mention.text = spreadRows(text, rows, mentions.train.images.length);
  return tables;
}
