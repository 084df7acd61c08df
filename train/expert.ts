// Stage 1: trains one expert alone with the contrastive loss, and keeps its best epoch by validation MRR.
//   node train/expert.ts --expert text|visual|multimodal [--preset openconcepts] [--run runs/default] [--help]
// Writes RUN/EXPERT/best.safetensors, last.safetensors (to --resume from) and metrics.jsonl.

import { join } from 'node:path';
import { Adam } from '../engine/adam.ts';
import { backward } from '../engine/autograd.ts';
import { openDevice } from '../engine/device.ts';
import { profileTable } from '../engine/profiler.ts';
import { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { metricsOf } from '../eval/rank.ts';
import { rankSplit } from '../eval/split.ts';
import { contrastiveLoss } from '../model/loss.ts';
import { isBadInput } from './bad-input.ts';
import { type Batch, batchesPerEpoch, checkFraction, epochBatches, fractionOf, holdOut } from './batches.ts';
import {
  openFolder,
  type Position,
  restoreCheckpoint,
  saveCheckpoint,
  saveParameters,
} from './checkpoint.ts';
import { Draws } from './draws.ts';
import { Expert, type SideTables } from './expert-model.ts';
import { complain, parseFlags, UsageError } from './flags.ts';
import { hardCandidates } from './hard-negatives.ts';
import { MetricsLog } from './metrics-log.ts';
import { parameterLines } from './parameter-counts.ts';
import { presetOf } from './presets.ts';
import { Progress } from './progress.ts';
import { openRun, type Run } from './run.ts';
import { type ExpertOptions, expertFlags, settingsOf } from './run-flags.ts';
import { scheduleFactor } from './schedule.ts';

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const options = parseFlags('usage: node train/expert.ts [flags]', expertFlags(name, preset), args);
  if (options?.['print-parameters']) console.log((await parameterLines(options)).join('\n'));
  else if (options) await main({ ...options, epochs: options.epochs || preset.epochs[options.expert] });
} catch (error) {
  complain(error, isBadInput);
}

async function main(options: ExpertOptions): Promise<void> {
  checkFraction(options['train-fraction']);
  const folder = join(options.run, options.expert);
  const device = await openDevice({ profile: options.profile });
  const run = await openRun(device, options, options['finetune-encoder']);
  const random = new Random(options.seed);
  const expert = new Expert(
    device,
    options.expert,
    run.clip,
    shapeOf(options),
    random,
    options['prompt-start'],
  );
  const trainedSize = [...expert.trained.values()].reduce((sum, { size }) => sum + size, 0);
  console.log(
    `${device.description}\n${run.description}\n${options.expert} expert: ${trainedSize} parameters`,
  );
  await train(run, expert, options, random, folder);
  if (options.profile) console.log(profileTable(await device.profile()));
  device.destroy();
}

async function train(
  run: Run,
  expert: Expert,
  options: ExpertOptions,
  seeded: Random,
  folder: string,
): Promise<void> {
  const { device } = expert;
  const { corpus } = run;
  const some = fractionOf(corpus.answers.train.length, options['train-fraction'], new Draws(options.seed));
  const { kept: rows } = holdOut(some, options['hold-out']);
  const steps = options.epochs * batchesPerEpoch(rows.length, options.batch);

  const { best, last, log, isResumed } = await openFolder(folder, options.resume);
  const adam = new Adam([...expert.trained.values()], { lr: options.lr });
  const training = {
    settings: { ...settingsOf(options), inputs: run.inputs },
    parameters: expert.trained,
    adams: { adam },
  };
  let random = seeded;
  let position: Position = { epoch: 0, step: 0, bestEpoch: 0, bestMrr: -1 };
  if (isResumed) {
    const found = await restoreCheckpoint(last, training);
    position = found.position;
    random = Random.restore(found.random);
    console.log(`resumed after epoch ${position.epoch}`);
  }

  const hard = await hardCandidates(run, rows, options['hard-negatives']);
  const frozen = expert.isFrozen ? await trainingTables(run, expert) : null;
  const progress = new Progress(steps - position.step, null);
  const metrics = new MetricsLog(log, position.step);
  let done = 0;

  for (let epoch = position.epoch + 1; epoch <= options.epochs; epoch++) {
    const draws = new Draws(random.words(1)[0]!);
    const batches = epochBatches(
      rows,
      corpus.mentions.train,
      corpus.answers.train,
      corpus.entities,
      { size: options.batch, ...(hard ? { hard } : {}) },
      draws,
    );
    let { step } = position;
    for await (const { batch, loss: makeLoss } of losses(run, expert, frozen, batches)) {
      const lr = options.lr * scheduleFactor(options.schedule, step, steps);
      const loss = await device.scope(() => {
        const scalar = makeLoss();
        adam.step(backward(scalar), { lr });
        return scalar.item();
      });
      if (!Number.isFinite(loss))
        throw new UsageError(`the loss of step ${step + 1} is ${loss}; try a lower --lr`);
      step++;
      metrics.add({ step, epoch, loss, lr });
      progress.step(++done, batch.mentions.length, { loss });
    }
    // Prompts that are still being trained give other features every epoch: nothing to keep.
    const features = expert.isFrozen ? run.features : { ...run.features, cache: '' };
    const dev = metricsOf(await rankSplit(run, expert, 'dev', features));
    for (const line of run.features.source.takeProblems(options.data)) console.error(line);
    metrics.add({ step, epoch, dev });
    console.log(
      `epoch ${epoch}/${options.epochs}  dev H@1 ${dev['hits@1'].toFixed(2)}  MRR ${dev.mrr.toFixed(2)}  MR ${dev.mr.toFixed(1)}`,
    );
    position = { ...position, epoch, step };
    if (dev.mrr > position.bestMrr) {
      position = { ...position, bestEpoch: epoch, bestMrr: dev.mrr };
      await saveParameters(best, expert.trained, training.settings, { epoch, dev });
    }
    await saveCheckpoint(last, training, position, random);
  }
  console.log(`best epoch ${position.bestEpoch} with dev MRR ${position.bestMrr.toFixed(2)}: ${best}`);
}

/** Both sides' features of all that training may ask for. */
async function trainingTables(run: Run, expert: Expert): Promise<Record<'mention' | 'entity', SideTables>> {
  const { mentions, entities } = run.corpus;
  const all = (images: readonly (readonly number[])[]) => [...new Set([0, ...images.flat()])];
  const of = (side: 'mention' | 'entity', samples: typeof entities) =>
    expert.tables(side, samples, all(samples.images), run.features);
  return { mention: await of('mention', mentions.train), entity: await of('entity', entities) };
}

/** Each batch with a function that makes its loss; call it in a scope. Pixels are decoded ahead. */
async function* losses(
  run: Run,
  expert: Expert,
  frozen: Record<'mention' | 'entity', SideTables> | null,
  batches: readonly Batch[],
): AsyncGenerator<{ batch: Batch; loss: () => Tensor }> {
  const { mentions, entities } = run.corpus;
  const { device } = expert;
  if (frozen) {
    for (const batch of batches) {
      const loss = () => {
        const m = expert.featuresOf(frozen.mention, batch.mentions, batch.mentionImages);
        const e = expert.featuresOf(frozen.entity, batch.entities, batch.entityImages);
        return contrastiveLoss(expert.scores(m, e), Int32Array.from(batch.entities));
      };
      yield { batch, loss };
    }
    return;
  }
  const groups = batches.map((batch) => ({
    mention: distinct(batch.mentionImages),
    entity: distinct(batch.entityImages),
  }));
  const needsPixels = expert.kind !== 'text';
  const decoded = needsPixels
    ? run.features.source.groups(groups.map(({ mention, entity }) => [...mention.images, ...entity.images]))
    : null;
  for (const [i, batch] of batches.entries()) {
    const { mention, entity } = groups[i]!;
    const pixels = decoded ? (await decoded.next()).value! : null;
    const loss = () => {
      const m = expert.encode(
        'mention',
        mentions.train,
        batch.mentions,
        part(0, mention.images.length),
        mention.places,
      );
      const e = expert.encode(
        'entity',
        entities,
        batch.entities,
        part(mention.images.length, entity.images.length),
        entity.places,
      );
      return contrastiveLoss(expert.scores(m, e), Int32Array.from(batch.entities));
    };
    const part = (first: number, count: number) => {
      if (!pixels) return null;
      const { size } = run.features.source;
      const plane = 3 * size * size;
      const data = pixels.subarray(first * plane, (first + count) * plane);
      return device.tensor([count, 3, size, size], data, { name: 'pixels' });
    };
    yield { batch, loss };
  }
}

/** The images without repetition, and where each of the list is among them. */
function distinct(list: readonly number[]): { images: number[]; places: Int32Array<ArrayBuffer> } {
  const images = [...new Set(list)];
  return { images, places: Int32Array.from(list, (image) => images.indexOf(image)) };
}

function shapeOf(options: ExpertOptions) {
  const isPlain = options['no-prompts'] || options['finetune-encoder'];
  return {
    hidden: options.hidden,
    prompts: { length: options['prompt-length'], depth: isPlain ? 0 : options['prompt-depth'] },
  };
}
