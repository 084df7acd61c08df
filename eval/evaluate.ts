// Ranks a split's mentions against the whole knowledge base, by each expert of a run alone and by DSMIP, and writes
// RUN/metrics.json and RUN/predictions.jsonl.

import { join } from 'node:path';
import { answering } from '../link/linking-model.ts';
import type { Session } from '../link/session.ts';
import { loadTrained, type Trained } from '../link/trained.ts';
import { openIndex } from '../ranking/index/source.ts';
import { pick } from '../ranking/tile.ts';
import { checkConfig } from '../train/config/check.ts';
import { type EvaluationConfig, evaluationSchema } from '../train/config/schemas.ts';
import type { Hooks } from '../train/hooks.ts';
import { hold, type Outcome, propose } from './hold.ts';
import { writeMetrics } from './metrics-file.ts';
import { type Predictions, writePredictions } from './predictions.ts';
import { type Contest, dsmipContest, expertContest, indexContest, splitFeatures } from './ranking-task.ts';

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
  const { contests, trained } = evaluation.index
    ? await openIndexed(session, checked)
    : await openContests(session, checked);
  const { candidates } = evaluation;
  const retrieval = candidates > 0 ? await propose(contests.at(-1)!, candidates) : null;
  const outcomes: Outcome[] = [];
  for (const contest of contests) {
    hooks.signal?.throwIfAborted();
    const isLast = contest === contests.at(-1);
    outcomes.push(await hold(contest, isLast ? topEntities : 0, retrieval?.candidates));
  }
  for (const line of session.features.source.takeProblems(data.folder)) hooks.onWarning?.(line);

  const files = {
    metrics: join(run.folder, 'metrics.json'),
    predictions: join(run.folder, 'predictions.jsonl'),
  };
  await writeMetrics(files.metrics, session, trained, evaluation.split, outcomes, retrieval);
  const predictions = predictionsOf(evaluation.split, outcomes);
  await writePredictions(files.predictions, session.dataset, predictions);
  return files;
}

/** What takes part; the last contest has the system that answers. */
interface Contests {
  contests: Contest[];
  trained: Trained;
}

async function openContests(
  session: Session,
  { run, evaluation: { split, mean } }: EvaluationConfig,
): Promise<Contests> {
  const trained = await loadTrained(session, run.folder);
  const { experts, dsmip } = trained;
  const tables = await splitFeatures(session, experts, split);
  const kinds = (dsmip?.experts ?? experts).map(({ kind }) => kind);
  const contests = [expertContest(session, experts, split, tables, mean ? kinds : [])];
  if (dsmip) contests.push(await dsmipContest(session, dsmip, split, tables));
  return { contests, trained };
}

async function openIndexed(
  session: Session,
  { run, evaluation: { split } }: EvaluationConfig,
): Promise<Contests> {
  const model = await answering(session, run.folder, 'mentions');
  const entities = await openIndex(session, run.folder, model);
  return {
    contests: [await indexContest(session, model, split, entities)],
    trained: { experts: [...model.experts], dsmip: model.dsmip },
  };
}

/** By the last system of the last contest: DSMIP, the mean, or the strongest expert there is. */
function predictionsOf(
  split: EvaluationConfig['evaluation']['split'],
  outcomes: readonly Outcome[],
): Predictions {
  const { contest, result } = outcomes.at(-1)!;
  const { pass, dsmip } = contest;
  const system = pass.systems.at(-1)!.name;
  const alone = pass.kinds.find((kind) => kind === system) ?? null;
  return {
    split,
    system,
    ranks: Object.fromEntries(
      outcomes.flatMap(({ result }) =>
        Object.entries(result.systems).map(([name, { ranks }]) => [name, ranks]),
      ),
    ),
    top: result.systems[system]!.top,
    expertOf: (mention, entity) => (dsmip ? pass.kinds[pick(pass, mention, entity)]! : alone),
  };
}
