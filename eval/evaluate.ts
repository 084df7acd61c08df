// Ranks a split's mentions against the whole knowledge base, by each expert of a run alone and by DSMIP, and writes
// RUN/metrics.json and RUN/predictions.jsonl.

import { join } from 'node:path';
import { openRunIndex } from '../link/entity-index.ts';
import { loadLinkingModel } from '../link/linking-model.ts';
import type { Session } from '../link/session.ts';
import { prepareSplit } from '../link/split.ts';
import { loadTrained, parameterCounts } from '../link/trained.ts';
import { meanOf } from '../ranking/mixture.ts';
import { checkConfig } from '../train/config/check.ts';
import { type EvaluationConfig, evaluationSchema } from '../train/config/schemas.ts';
import type { Hooks } from '../train/hooks.ts';
import { type Evaluation, evaluateTask, proposeCandidates, type Retrieval } from './evaluation.ts';
import { writeMetrics } from './metrics-file.ts';
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
 * Evaluates a trained run on an open session. Throws ConfigError for a field that is not valid, UsageError and WeightsError
 * for a run or an index that is missing a part, damaged or foreign.
 */
export async function evaluate(
  config: EvaluationConfig,
  session: Session,
  hooks: Hooks = {},
): Promise<EvaluationFiles> {
  const checked = checkConfig(evaluationSchema, config);
  const { run, data, evaluation } = checked;
  const { tasks, parameters, close } = evaluation.index
    ? await openIndexed(session, checked)
    : await openTasks(session, checked);
  const last = tasks.at(-1)!;
  const { candidates } = evaluation;
  const evaluations: Evaluation[] = [];
  let retrieval: Retrieval | null = null;
  try {
    if (candidates > 0) retrieval = await proposeCandidates(last, candidates);
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
  } finally {
    await close();
  }
  for (const line of session.features.source.takeProblems(data.folder)) hooks.onWarning?.(line);

  const files = {
    metrics: join(run.folder, 'metrics.json'),
    predictions: join(run.folder, 'predictions.jsonl'),
  };
  await writeMetrics(files.metrics, session, parameters, evaluation.split, evaluations, retrieval);
  await writePredictions(files.predictions, session.dataset, evaluation.split, evaluations);
  return files;
}

/** What takes part; the last task has the system that answers. */
interface Tasks {
  tasks: RankingTask[];
  /** Trained numbers by what has them. */
  parameters: Record<string, number>;
  close(): Promise<void>;
}

async function openTasks(
  session: Session,
  { run, evaluation: { split, mean } }: EvaluationConfig,
): Promise<Tasks> {
  const { experts, dsmip } = await loadTrained(session, run.folder);
  const averaged = dsmip?.experts ?? experts;
  const alone = experts.filter(({ kind }) => averaged.some((other) => other.kind === kind));
  const systems = [...experts, ...(mean ? [meanOf('mean', alone)] : [])];
  const tasks = [splitTask('experts', systems, await prepareSplit(session, experts, split))];
  if (dsmip) {
    const prepared = await prepareSplit(session, [dsmip.scorer], split);
    tasks.push(splitTask('dsmip', [dsmip.scorer], prepared));
  }
  return { tasks, parameters: parameterCounts(experts, dsmip), close: async () => {} };
}

async function openIndexed(
  session: Session,
  { run, evaluation: { split } }: EvaluationConfig,
): Promise<Tasks> {
  const model = await loadLinkingModel(session, run.folder);
  const entities = await openRunIndex(session, run.folder, model);
  const task = await indexTask(session, model, split, entities);
  return { tasks: [task], parameters: { ...model.parameters }, close: () => entities.close() };
}
