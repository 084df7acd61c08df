// Ranks a split's mentions against the whole knowledge base, by each expert of a run alone, by DSMIP and by baselines, and writes
// RUN/metrics.json and RUN/predictions.jsonl.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Split } from '../data/dataset.ts';
import { matchesOf } from '../data/names/name-matches.ts';
import { takenOutRows } from '../data/taken-out.ts';
import { contentStamp } from '../files/content-stamp.ts';
import { UsageError } from '../files/errors.ts';
import { lockName } from '../files/folder-lock.ts';
import { trainedBaselinesOf } from '../link/baselines/trained-baselines.ts';
import { type Calibration, readCalibration } from '../link/calibration.ts';
import { openRunIndex } from '../link/entity-index.ts';
import {
  calibrationFolder,
  dsmipFingerprint,
  type LinkingModel,
  loadLinkingModel,
} from '../link/linking-model.ts';
import type { Session } from '../link/session.ts';
import { prepareSplit } from '../link/split.ts';
import { bestFile, fileFingerprint, loadTrained, parameterCounts } from '../link/trained.ts';
import { findBaseline } from '../model/baselines/registry.ts';
import type { Expert } from '../model/dsmip/expert-model.ts';
import { FixedShares } from '../ranking/mixed-probabilities.ts';
import { Mixture, meanOf } from '../ranking/mixture.ts';
import type { AnyScorer } from '../ranking/scorer.ts';
import { checkConfig } from '../train/config/check.ts';
import { type EvaluationConfig, evaluationSchema } from '../train/config/schemas.ts';
import { scoreStatistics } from '../train/gating/score-statistics.ts';
import type { Hooks } from '../train/hooks.ts';
import { type Evaluation, evaluateTask, proposeCandidates } from './evaluation.ts';
import { writeMetrics } from './metrics-file.ts';
import type { TaskNames } from './names.ts';
import { writePredictions } from './predictions.ts';
import { indexTask, type RankingTask, splitTask } from './ranking-task.ts';

/** Best entities of each mention that predictions.jsonl shows. */
const topEntities = 5;

/** The files of an evaluation. */
export interface EvaluationFiles {
  metrics: string;
  predictions: string;
}

/**
 * Evaluates on an open session what a run has; `evaluation.system` answers, and takes part if it needs no training. Throws ConfigError for a field that is not valid, UsageError and WeightsError
 * for a run or an index that is missing a part, damaged or foreign, InputError while another process evaluates it.
 */
export async function evaluate(
  config: EvaluationConfig,
  session: Session,
  hooks: Hooks = {},
): Promise<EvaluationFiles> {
  const checked = checkConfig(evaluationSchema, config);
  const { evaluation } = checked;
  const opened = evaluation.index ? await openIndexed(session, checked) : await openTasks(session, checked);
  try {
    // Two would leave the metrics of one and the predictions of the other.
    const lock = await lockName(join(checked.run.folder, metricsName));
    try {
      return await evaluateTasks(checked, session, opened, hooks);
    } finally {
      await lock.release();
    }
  } finally {
    await opened.close();
  }
}

const metricsName = 'metrics.json';

async function evaluateTasks(
  { run, data, evaluation }: EvaluationConfig,
  session: Session,
  { tasks, parameters }: Tasks,
  hooks: Hooks,
): Promise<EvaluationFiles> {
  const checkpoints: Record<string, string> = {};
  for (const name of Object.keys(parameters))
    checkpoints[name] = await contentStamp(bestFile(run.folder, name));
  const last = tasks.at(-1)!;
  const { candidates } = evaluation;
  const retrieval = candidates > 0 ? await proposeCandidates(last, candidates) : null;
  const evaluations: Evaluation[] = [];
  for (const task of tasks) {
    hooks.signal?.throwIfAborted();
    evaluations.push(
      await evaluateTask(task, {
        top: task === last ? topEntities : 0,
        candidates: retrieval?.candidates ?? null,
        onProgress: (done) => hooks.onProgress?.({ task: 'scoring', done, total: 1 }),
      }),
    );
  }
  for (const line of session.features.source.takeProblems(data.folder)) hooks.onWarning?.(line);

  await mkdir(run.folder, { recursive: true });
  const files = {
    metrics: join(run.folder, metricsName),
    predictions: join(run.folder, 'predictions.jsonl'),
  };
  // The metrics come last: they say which predictions are theirs.
  await writePredictions(files.predictions, session.dataset, evaluation.split, evaluations);
  await writeMetrics(files.metrics, session, parameters, evaluation.split, evaluations, retrieval, {
    madeFrom: { inputs: session.inputs, checkpoints },
    predictions: await contentStamp(files.predictions),
  });
  return files;
}

/** What takes part; the last task has the system that answers. */
interface Tasks {
  tasks: RankingTask[];
  /** Trained numbers by what has them. */
  parameters: Readonly<Record<string, number>>;
  /** Lets go of what was opened for it. */
  close(): Promise<void>;
}

/** Systems that one pass serves, prepared as these. */
interface Group {
  name: string;
  systems: AnyScorer[];
  prepared: readonly AnyScorer[];
}

async function openTasks(
  session: Session,
  { run, names: { use }, evaluation }: EvaluationConfig,
): Promise<Tasks> {
  const { split, mean, system = null } = evaluation;
  const { experts, dsmip } = await loadTrained(session, run.folder);
  const found = await trainedBaselinesOf(run.folder);
  const names = system !== null && findBaseline(system) ? new Set([...found, system]) : found;
  const baselines: LinkingModel[] = [];
  for (const name of names) baselines.push(await loadLinkingModel(session, run.folder, name));
  const averaged = dsmip?.experts ?? experts;
  const alone = experts.filter(({ kind }) => averaged.some((other) => other.kind === kind));
  const rows = baselines.map(({ scorer }) => scorer);
  const groups: Group[] = [
    { name: 'baselines', systems: rows, prepared: rows },
    {
      name: 'experts',
      systems: [...experts, ...(mean && alone.length > 0 ? await fixedCombinations(session, alone) : [])],
      prepared: experts,
    },
    ...(dsmip ? [{ name: 'dsmip', systems: [dsmip.scorer], prepared: [dsmip.scorer] }] : []),
  ].filter(({ systems }) => systems.length > 0);
  if (groups.length === 0) {
    throw new UsageError(
      `${run.folder}: no SYSTEM/best.safetensors; train an expert or a baseline there first`,
    );
  }
  const tasks: RankingTask[] = [];
  for (const { name, systems, prepared } of system === null
    ? groups
    : answeredBy(system, groups, run.folder)) {
    tasks.push(splitTask(name, systems, await prepareSplit(session, prepared, split)));
  }
  if (use) {
    const fingerprints = new Map<AnyScorer, string | null>(
      baselines.map(({ scorer, fingerprint }) => [scorer, fingerprint]),
    );
    for (const expert of experts) {
      fingerprints.set(expert, await fileFingerprint(session, run.folder, [expert.kind]));
    }
    if (dsmip) fingerprints.set(dsmip.scorer, await dsmipFingerprint(session, run.folder, dsmip));
    await addNames(session, run.folder, split, tasks, fingerprints);
  }
  return {
    tasks,
    parameters: Object.assign(
      parameterCounts(experts, dsmip),
      ...baselines.map(({ parameters }) => parameters),
    ) as Record<string, number>,
    close: async () => {
      for (const baseline of baselines) baseline.release();
    },
  };
}

/** What experts give together without a gate: the plain and the standardised mean, and a mixture of their probabilities. */
export async function fixedCombinations(session: Session, experts: readonly Expert[]): Promise<AnyScorer[]> {
  const statistics = await scoreStatistics(session, experts);
  const weights = statistics.map(({ deviation }) => 1 / (deviation * experts.length));
  const shares = new FixedShares(
    session.device,
    statistics.map(({ scale }) => scale),
  );
  return [
    meanOf('mean', experts),
    new Mixture('standardised-mean', experts, { weights }),
    new Mixture('fixed-mixture', experts, { shares }),
  ];
}

/**
 * Adds to tasks the calibrations of their systems that the run has, and the names that they count. Throws WeightsError for a
 * calibration of other weights.
 */
async function addNames(
  session: Session,
  run: string,
  split: Split,
  tasks: readonly RankingTask[],
  fingerprints: ReadonlyMap<AnyScorer, string | null>,
): Promise<void> {
  const calibrated: { task: RankingTask; calibrations: TaskNames['calibrations'] }[] = [];
  for (const task of tasks) {
    const calibrations: { system: AnyScorer; calibration: Calibration }[] = [];
    for (const system of task.pass.systems) {
      const fingerprint = fingerprints.get(system);
      if (fingerprint === undefined) continue;
      const folder = calibrationFolder(system.name, run, session.clip.folder);
      const calibration = await readCalibration(folder, system.name, fingerprint);
      if (calibration) calibrations.push({ system, calibration });
    }
    if (calibrations.length > 0) calibrated.push({ task, calibrations });
  }
  if (calibrated.length === 0) return;
  const { entities, splits } = session.dataset;
  const matches = await matchesOf(entities, splits[split]);
  const takenOut = takenOutRows(session.dataset, split);
  for (const { task, calibrations } of calibrated) task.names = { matches, takenOut, calibrations };
}

/** The groups with the system of this name at the end. */
function answeredBy(name: string, groups: readonly Group[], run: string): Group[] {
  const group = groups.find(({ systems }) => systems.some((system) => system.name === name));
  if (!group) throw new UsageError(`${run}: has no ${name}`);
  const systems = group.systems.toSorted((a, b) => Number(a.name === name) - Number(b.name === name));
  return [...groups.filter((other) => other !== group), { ...group, systems }];
}

async function openIndexed(session: Session, { run, names, evaluation }: EvaluationConfig): Promise<Tasks> {
  const { split, system = null } = evaluation;
  const model = await loadLinkingModel(session, run.folder, system);
  const entities = await openRunIndex(session, run.folder, model);
  const task = await indexTask(session, model, split, entities);
  if (names.use) {
    await addNames(session, run.folder, split, [task], new Map([[model.scorer, model.fingerprint]]));
  }
  return {
    tasks: [task],
    parameters: model.parameters,
    async close() {
      await entities.close();
      model.release();
    },
  };
}
