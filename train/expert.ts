// Stage 1: trains one expert alone with the contrastive loss, and keeps its best epoch by validation MRR.
//   node train/expert.ts --expert text|visual|multimodal [--preset openconcepts] [--run runs/default] [--help]
// Writes RUN/EXPERT/best.safetensors, last.safetensors (to --resume from) and metrics.jsonl.

import { join } from 'node:path';
import { profileTable } from '../engine/device/profiler.ts';
import { openDevice } from '../engine/device.ts';
import { Adam } from '../engine/nn/adam.ts';
import { Random } from '../engine/random.ts';
import { openSession, type Session } from '../link/session.ts';
import { rankSplit } from '../link/split.ts';
import { beginTraining, endEpoch, openFolder } from '../model/checkpoint.ts';
import type { ClipConfig } from '../model/clip/clip.ts';
import { Expert } from '../model/dsmip/expert-model.ts';
import { metricsOf } from '../ranking/metrics.ts';
import { isBadInput } from './bad-input.ts';
import { batchesPerEpoch, checkFraction, epochBatches, fractionOf, holdOut } from './batches.ts';
import { encodingSteps, frozenSteps, trainingTables } from './experts/expert-batches.ts';
import { hardCandidates } from './experts/hard-negatives.ts';
import {
  choiceOf,
  chooseChunk,
  memoryLines,
  type StepPlan,
  sizeText,
  usualMemory,
} from './experts/memory-estimate.ts';
import { clipConfigOf, parameterLines } from './experts/parameter-counts.ts';
import { parseFlags, reportError } from './flags.ts';
import { LossLog } from './loss-log.ts';
import { MetricsLog } from './metrics-log.ts';
import { presetOf } from './presets.ts';
import { Progress } from './progress.ts';
import { RandomStream } from './random-stream.ts';
import { type ExpertOptions, encodeChunkOf, expertFlags, settingsOf, shapeOf } from './run-flags.ts';
import { scheduleFactor } from './schedule.ts';

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const options = parseFlags('usage: node train/expert.ts [flags]', expertFlags(name, preset), args);
  if (options?.['print-parameters']) console.log((await parameterLines(options)).join('\n'));
  else if (options?.['print-memory']) await printMemory(options);
  else if (options) await main({ ...options, epochs: options.epochs || preset.epochs[options.expert] });
} catch (error) {
  reportError(error, isBadInput);
}

async function main(options: ExpertOptions): Promise<void> {
  checkFraction(options['train-fraction']);
  encodeChunkOf(options);
  const folder = join(options.run, options.expert);
  const device = await openDevice({
    profile: options.profile,
    ...(options.memory > 0 ? { memoryBudgetBytes: 1e9 * options.memory } : {}),
  });
  const session = await openSession(device, options, options['finetune-encoder']);
  const random = new Random(options.seed);
  const expert = new Expert(
    device,
    options.expert,
    session.clip,
    shapeOf(options),
    random,
    options['prompt-start'],
  );
  const trainedSize = [...expert.trained.values()].reduce((sum, { size }) => sum + size, 0);
  console.log(
    `${device.description}\n${session.description}\n${options.expert} expert: ${trainedSize} parameters`,
  );
  await train(session, expert, options, random, folder);
  if (options.profile) console.log(profileTable(await device.profile()));
  device.destroy();
}

/** For --print-memory: needs CLIP's config.json at most, no weights and no data. */
async function printMemory(options: ExpertOptions): Promise<void> {
  const device = await openDevice();
  const clip = await clipConfigOf(options);
  const { maxLength } = clip.text;
  const plan = planOf(options, clip, options.batch, { mention: maxLength, entity: maxLength });
  console.log((await memoryLines(device, plan)).join('\n'));
  device.destroy();
}

/** What is known of the steps' memory beforehand, for batches of so many mentions. */
function planOf(
  options: ExpertOptions,
  clip: ClipConfig,
  mentions: number,
  tokens: StepPlan['tokens'],
): StepPlan {
  return {
    kind: options.expert,
    config: { ...shapeOf(options), clip },
    finetune: options['finetune-encoder'],
    samples: { mention: mentions, entity: mentions * (1 + options['hard-negatives']) },
    tokens,
  };
}

/** How many texts or images to encode at a time, 0 for all, of --encode-chunk; says what a step will take. */
async function chunkFor(
  options: ExpertOptions,
  expert: Expert,
  { corpus }: Session,
  rows: number,
): Promise<number> {
  const { device, config } = expert;
  const asked = encodeChunkOf(options);
  if (expert.isFrozen) return 0;
  const tokens = { mention: corpus.mentions.train.tokens.length, entity: corpus.entities.tokens.length };
  const plan = planOf(options, config.clip, Math.min(rows, options.batch), tokens);
  const isWhole = asked !== 'auto' && asked >= Math.max(plan.samples.mention, plan.samples.entity);
  const limit = options.memory > 0 ? 1e9 * options.memory : usualMemory(device);
  const { chunk, memory } =
    asked === 'auto'
      ? await chooseChunk(device, plan, limit)
      : await choiceOf(device, plan, isWhole ? 0 : asked);
  const how = chunk === 0 ? 'the whole batch encoded at once' : `${chunk} texts or images encoded at a time`;
  console.log(`a step will take up to ${sizeText(memory.peak)} of device memory, ${how}`);
  return chunk;
}

async function train(
  session: Session,
  expert: Expert,
  options: ExpertOptions,
  seeded: Random,
  folder: string,
): Promise<void> {
  const { device } = expert;
  const { corpus } = session;
  const some = fractionOf(
    corpus.gold.train.length,
    options['train-fraction'],
    new RandomStream(options.seed),
  );
  const { kept: rows } = holdOut(some, options['hold-out']);
  const steps = options.epochs * batchesPerEpoch(rows.length, options.batch);

  const chunk = await chunkFor(options, expert, session, rows.length);
  const files = await openFolder(folder, options.resume);
  const adam = new Adam([...expert.trained.values()], { lr: options.lr });
  const training = {
    settings: { ...settingsOf(options), 'encode-chunk': chunk, inputs: session.inputs },
    parameters: expert.trained,
    adams: { adam },
  };
  const begun = await beginTraining(files, training, seeded);
  const { random } = begun;
  let { position } = begun;

  const hard = await hardCandidates(session, rows, options['hard-negatives']);
  const frozen = expert.isFrozen ? await trainingTables(session, expert) : null;
  const progress = new Progress(steps - position.step, null);
  const metrics = new MetricsLog(files.log, position.step);
  const losses = new LossLog(metrics, progress);

  const firstEpoch = position.epoch + 1;
  device.resetPeak();
  for (let epoch = firstEpoch; epoch <= options.epochs; epoch++) {
    const draws = new RandomStream(random.words(1)[0]!);
    const batches = epochBatches(
      rows,
      corpus.mentions.train,
      corpus.gold.train,
      corpus.entities,
      { size: options.batch, ...(hard ? { hard } : {}) },
      draws,
    );
    let { step } = position;
    const made = frozen
      ? frozenSteps(expert, frozen, batches)
      : encodingSteps(session, expert, batches, chunk);
    for await (const { batch, make } of made) {
      const lr = options.lr * scheduleFactor(options.schedule, step, steps);
      const loss = device.scope(() => {
        const { loss, gradients } = make();
        adam.step(gradients, { lr });
        return loss.item();
      });
      await losses.add({ step: ++step, epoch, lr }, batch.mentions.length, loss);
    }
    await losses.settle();
    if (epoch === firstEpoch) {
      console.log(`a step took up to ${sizeText(device.counters.peakBytes)} of device memory`);
    }
    // Prompts that are still being trained give other features every epoch: nothing to keep.
    const features = expert.isFrozen ? session.features : { ...session.features, cache: '' };
    const dev = metricsOf(await rankSplit(session, expert, 'dev', features));
    for (const line of session.features.source.takeProblems(options.data)) console.error(line);
    metrics.add({ step, epoch, dev });
    console.log(
      `epoch ${epoch}/${options.epochs}  dev H@1 ${dev['hits@1'].toFixed(2)}  MRR ${dev.mrr.toFixed(2)}  MR ${dev.mr.toFixed(1)}`,
    );
    position = await endEpoch(files, training, position, { epoch, step, dev }, random);
  }
  console.log(`best epoch ${position.bestEpoch} with dev MRR ${position.bestMrr.toFixed(2)}: ${files.best}`);
}
