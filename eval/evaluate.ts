// Ranks every mention of a split against the whole knowledge base, by each expert of a run alone and by DSMIP.
//   node eval/evaluate.ts --run runs/default [--split test] [--mean] [--help]
// Writes RUN/metrics.json and RUN/predictions.jsonl.

import { join } from 'node:path';
import { profileTable } from '../engine/device/profiler.ts';
import { openDevice } from '../engine/device.ts';
import { openRunIndex } from '../link/entity-index.ts';
import { loadLinkingModel } from '../link/linking-model.ts';
import { openSession, type Session } from '../link/session.ts';
import { prepareSplit } from '../link/split.ts';
import { loadTrained, parameterCounts } from '../link/trained.ts';
import { meanOf } from '../ranking/mixture.ts';
import { isBadInput } from '../train/bad-input.ts';
import { count, on, oneOf, parseFlags, reportError } from '../train/flags.ts';
import { presetOf } from '../train/presets.ts';
import { type CommonOptions, commonFlags } from '../train/run-flags.ts';
import { type Evaluation, evaluate, proposeCandidates } from './evaluation.ts';
import { writeMetrics } from './metrics-file.ts';
import { partProgress } from './part-progress.ts';
import { writePredictions } from './predictions.ts';
import { indexTask, type RankingTask, splitTask } from './ranking-task.ts';

type Options = CommonOptions & {
  split: 'train' | 'dev' | 'test';
  mean: boolean;
  index: boolean;
  candidates: number;
};

/** Best entities of each mention that predictions.jsonl shows. */
const shown = 5;

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const flags = {
    ...commonFlags(name, preset),
    split: oneOf(['train', 'dev', 'test'], 'test' as Options['split'], 'whose mentions'),
    mean: on("also the plain mean of the experts' scores"),
    index: on(
      'take entities from RUN/index and rank by what answers alone: DSMIP, or without a gate one expert',
    ),
    candidates: count(0, 'score so many entities a mention, proposed by dense retrieval; 0: all'),
  };
  const options = parseFlags('usage: node eval/evaluate.ts [flags]', flags, args);
  if (options) await main(options);
} catch (error) {
  reportError(error, isBadInput);
}

async function main(options: Options): Promise<void> {
  const device = await openDevice({ profile: options.profile });
  const session = await openSession(device, options);
  console.log(`${device.description}\n${session.description}`);
  const { tasks, parameters } = options.index
    ? await openIndexed(session, options)
    : await openTasks(session, options);
  const retrieval =
    options.candidates > 0 ? await proposeCandidates(tasks.at(-1)!, options.candidates) : null;
  if (retrieval) {
    const { candidates, by, recall } = retrieval;
    console.log(`recall@${candidates.count} ${recall.toFixed(2)} by the vectors of ${by}`);
  }
  const evaluations: Evaluation[] = [];
  for (const task of tasks) {
    const evaluation = await evaluate(task, {
      top: task === tasks.at(-1) ? shown : 0,
      candidates: retrieval?.candidates ?? null,
      onProgress: partProgress('scoring'),
    });
    for (const [name, metrics] of Object.entries(evaluation.metrics)) {
      const values = Object.entries(metrics).map(([of, value]) => `${of} ${value.toFixed(2)}`);
      console.log(`${name.padEnd(11)} ${values.join('  ')}`);
    }
    console.log(`${evaluation.result.pairs.ranked} pairs in ${evaluation.seconds.toFixed(1)} s`);
    evaluations.push(evaluation);
  }
  for (const line of session.features.source.takeProblems(options.data)) console.error(line);

  const { run, split } = options;
  await writeMetrics(join(run, 'metrics.json'), session, parameters, split, evaluations, retrieval);
  await writePredictions(join(run, 'predictions.jsonl'), session.dataset, split, evaluations);
  if (options.profile) console.log(profileTable(await device.profile()));
  console.log(`wrote ${join(options.run, 'metrics.json')} and predictions.jsonl`);
  device.destroy();
}

/** What takes part; the last task has the system that answers. */
interface Tasks {
  tasks: RankingTask[];
  /** Trained numbers by what has them. */
  parameters: Record<string, number>;
}

async function openTasks(session: Session, { run: folder, split, mean }: Options): Promise<Tasks> {
  const { experts, dsmip } = await loadTrained(session, folder);
  const averaged = dsmip?.experts ?? experts;
  const alone = experts.filter(({ kind }) => averaged.some((other) => other.kind === kind));
  const systems = [...experts, ...(mean ? [meanOf('mean', alone)] : [])];
  const tasks = [splitTask('experts', systems, await prepareSplit(session, experts, split))];
  if (dsmip) {
    const prepared = await prepareSplit(session, [dsmip.scorer], split);
    tasks.push(splitTask('dsmip', [dsmip.scorer], prepared));
  }
  return { tasks, parameters: parameterCounts(experts, dsmip) };
}

async function openIndexed(session: Session, { run: folder, split }: Options): Promise<Tasks> {
  const model = await loadLinkingModel(session, folder);
  const entities = await openRunIndex(session, folder, model);
  const { head } = entities;
  console.log(`index: ${head.dtype}, ${head.bytesPerEntity} bytes an entity`);
  const task = await indexTask(session, model, split, entities);
  return { tasks: [task], parameters: { ...model.parameters } };
}
