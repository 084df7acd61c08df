// Stage 2: trains the gate and fine-tunes the scoring units of its experts, encoders and prompts frozen; keeps the best
// epoch by validation MRR.   node train/gate.ts [--preset openconcepts] [--run runs/default] [--help]
// Reads RUN/EXPERT/best.safetensors of each expert; writes RUN/gate/best.safetensors, last.safetensors, metrics.jsonl.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { backward } from '../engine/autograd.ts';
import { profileTable } from '../engine/device/profiler.ts';
import { openDevice } from '../engine/device.ts';
import { Adam } from '../engine/nn/adam.ts';
import { gumbelNoise } from '../engine/ops/gumbel.ts';
import { Random } from '../engine/random.ts';
import { UsageError } from '../files/errors.ts';
import { openSession, type Session } from '../link/session.ts';
import { prepareSplit, rankPrepared } from '../link/split.ts';
import { expertsFingerprint, loadExperts } from '../link/trained.ts';
import { beginTraining, endEpoch, openFolder, readAbout } from '../model/checkpoint.ts';
import { drawExperts, selectedScores } from '../model/dsmip/dsmip.ts';
import { Dsmip, gateTrainingInputs } from '../model/dsmip/dsmip-model.ts';
import type { Side, SideTables } from '../model/dsmip/expert-model.ts';
import { type GateInputs, statisticsTensors } from '../model/dsmip/gate-inputs.ts';
import { contrastiveLoss } from '../model/loss.ts';
import { isBadInput } from './bad-input.ts';
import { batchesPerEpoch, checkFraction, epochBatches, fractionOf, holdOut } from './batches.ts';
import { trainingTables } from './experts/expert-batches.ts';
import { deceptiveCandidates } from './experts/hard-negatives.ts';
import { parseFlags, reportError } from './flags.ts';
import { standardise } from './gating/calibration.ts';
import { LossLog } from './loss-log.ts';
import { MetricsLog } from './metrics-log.ts';
import { presetOf } from './presets.ts';
import { Progress } from './progress.ts';
import { RandomStream } from './random-stream.ts';
import { type GateOptions, gateFlags, settingsOf } from './run-flags.ts';
import { scheduleFactor } from './schedule.ts';

/** Added to pi before its logarithm. */
const eps = 1e-6;

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const options = parseFlags('usage: node train/gate.ts [flags]', gateFlags(name, preset), args);
  if (options) await main(options);
} catch (error) {
  reportError(error, isBadInput);
}

async function main(options: GateOptions): Promise<void> {
  checkFraction(options['train-fraction']);
  if (!(options.tau > 0)) throw new UsageError(`--tau ${options.tau}: expected more than 0`);
  if (options.dropout >= 1) throw new UsageError(`--dropout ${options.dropout}: expected less than 1`);
  await checkRows(options);
  const device = await openDevice({ profile: options.profile });
  const session = await openSession(device, options);
  const random = new Random(options.seed);
  const experts = await loadExperts(session, options.run, options.experts.split(','));
  const { inputs, statistics } = await gateTrainingInputs(session, options);
  const dsmip = new Dsmip(session, experts, options, statistics, random);
  const folder = join(options.run, 'gate');
  console.log(`${device.description}\n${session.description}\nexperts: ${options.experts}`);
  await train(session, dsmip, inputs, options, random, folder);
  if (options.profile) console.log(profileTable(await device.profile()));
  device.destroy();
}

async function train(
  session: Session,
  dsmip: Dsmip,
  inputs: Readonly<Record<Side, GateInputs>>,
  options: GateOptions,
  seeded: Random,
  folder: string,
): Promise<void> {
  const { device, corpus } = session;
  const some = fractionOf(
    corpus.gold.train.length,
    options['train-fraction'],
    new RandomStream(options.seed),
  );
  const { held } = holdOut(some, options['hold-out']);
  const rows = options['hold-out'] > 0 ? held : some;
  const steps = options.epochs * batchesPerEpoch(rows.length, options.batch);

  const files = await openFolder(folder, options.resume);
  const adams = {
    units: new Adam([...dsmip.units.values()], { lr: options['unit-lr'] }),
    gate: new Adam([...dsmip.gate.values()], { lr: options.lr }),
  };
  const parameters = new Map([...dsmip.units, ...dsmip.gate]);
  const settings = {
    ...settingsOf(options),
    inputs: session.inputs,
    'expert files': await expertsFingerprint(options.run, options.experts.split(',')),
  };
  const training = { settings, parameters, constants: statisticsTensors(dsmip.statistics), adams };
  const tables: Record<Side, SideTables>[] = [];
  for (const expert of dsmip.experts) tables.push(await trainingTables(session, expert));
  const dev = await prepareSplit(session, [dsmip.scorer], 'dev');
  // Before a checkpoint is restored: what deceives the experts as stage 1 left them, resumed or not.
  const hard = await deceptiveCandidates(session, dsmip.experts, tables, rows, options['hard-negatives']);
  const begun = await beginTraining(files, training, seeded);
  const { random } = begun;
  let { position } = begun;

  const batchesOf = (draws: RandomStream) =>
    epochBatches(
      rows,
      corpus.mentions.train,
      corpus.gold.train,
      corpus.entities,
      { size: options.batch, ...(hard ? { hard } : {}) },
      draws,
    );
  if (!files.isResumed) await standardise(device, dsmip, tables, batchesOf(new RandomStream(options.seed)));
  const progress = new Progress(steps - position.step, null);
  const metrics = new MetricsLog(files.log, position.step);
  const kinds = dsmip.experts.length;
  const losses = new LossLog(metrics, progress);

  for (let epoch = position.epoch + 1; epoch <= options.epochs; epoch++) {
    let { step } = position;
    for (const batch of batchesOf(new RandomStream(random.words(1)[0]!))) {
      const factor = scheduleFactor(options.schedule, step, steps);
      const loss = device.scope(() => {
        const scores = dsmip.expertScores(tables, batch);
        const drop = options.dropout > 0 ? { rate: options.dropout, random } : undefined;
        const pi = dsmip.choice(
          { inputs: inputs.mention, rows: batch.mentions, images: batch.mentionImages },
          { inputs: inputs.entity, rows: batch.entities, images: batch.entityImages },
          drop,
        );
        const [M, E] = [batch.mentions.length, batch.entities.length];
        const noise = gumbelNoise(device, dsmip.by === 'pair' ? [M, E, kinds] : [M, 1, kinds], random);
        const z = dsmip.spread(drawExperts(pi, noise, { tau: options.tau, eps }), E);
        const scalar = contrastiveLoss(selectedScores(z, scores), Int32Array.from(batch.entities));
        const gradients = backward(scalar);
        adams.units.step(gradients, { lr: factor * options['unit-lr'] });
        adams.gate.step(gradients, { lr: factor * options.lr });
        return scalar.item();
      });
      await losses.add({ step: ++step, epoch }, batch.mentions.length, loss);
    }
    await losses.settle();
    const { metrics: validation, picked } = await rankPrepared(dsmip.scorer, dev);
    for (const line of session.features.source.takeProblems(options.data)) console.error(line);
    metrics.add({ step, epoch, dev: validation, picked: picked! });
    console.log(
      `epoch ${epoch}/${options.epochs}  dev H@1 ${validation['hits@1'].toFixed(2)}  MRR ${validation.mrr.toFixed(2)}  ` +
        `chosen ${dsmip.experts.map(({ kind }) => `${kind} ${(picked!.overall[kind] ?? 0).toFixed(1)} %`).join(', ')}`,
    );
    position = await endEpoch(files, training, position, { epoch, step, dev: validation }, random);
  }
  console.log(`best epoch ${position.bestEpoch} with dev MRR ${position.bestMrr.toFixed(2)}: ${files.best}`);
}

/**
 * Both stages must take the same mentions apart: otherwise what is held out for the gate is what the experts know by
 * heart. Throws UsageError, WeightsError.
 */
async function checkRows(options: GateOptions): Promise<void> {
  const decisive = [
    'hold-out',
    'train-fraction',
    ...(options['train-fraction'] < 1 ? ['seed'] : []),
  ] as const;
  for (const kind of options.experts.split(',')) {
    const path = join(options.run, kind, 'best.safetensors');
    if (!existsSync(path)) continue; // said where the experts are loaded
    const { settings } = await readAbout(path);
    for (const flag of decisive) {
      const own = options[flag as 'hold-out' | 'train-fraction' | 'seed'];
      if (settings[flag] === own) continue;
      throw new UsageError(`--${flag} ${own}: ${path} was trained with --${flag} ${settings[flag]}`);
    }
  }
}
