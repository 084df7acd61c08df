// Ranks every mention of a split against the whole knowledge base, by each expert of a run alone and by DSMIP.
//   node eval/evaluate.ts --run runs/default [--split test] [--mean] [--help]
// Writes RUN/metrics.json and RUN/predictions.jsonl.

import { join } from 'node:path';
import { profileTable } from '../engine/device/profiler.ts';
import { openDevice } from '../engine/device.ts';
import { answering } from '../link/linking-model.ts';
import { openSession, type Session } from '../link/session.ts';
import { loadTrained, type Trained } from '../link/trained.ts';
import { openIndex } from '../ranking/index/source.ts';
import { pick } from '../ranking/tile.ts';
import { isBadInput } from '../train/bad-input.ts';
import { count, on, oneOf, parseFlags, reportError } from '../train/flags.ts';
import { presetOf } from '../train/presets.ts';
import { type CommonOptions, commonFlags } from '../train/run-flags.ts';
import { hold, type Outcome, propose } from './hold.ts';
import { writeMetrics } from './metrics-file.ts';
import { type Predictions, writePredictions } from './predictions.ts';
import { type Contest, dsmipContest, expertContest, indexContest, splitFeatures } from './ranking-task.ts';

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
  const { contests, trained } = options.index
    ? await openIndexed(session, options)
    : await openContests(session, options);
  const retrieval = options.candidates > 0 ? await propose(contests.at(-1)!, options.candidates) : null;
  const outcomes: Outcome[] = [];
  for (const contest of contests) {
    const answers = contest === contests.at(-1);
    outcomes.push(await hold(contest, answers ? shown : 0, retrieval?.candidates));
  }
  for (const line of session.features.source.takeProblems(options.data)) console.error(line);

  await writeMetrics(join(options.run, 'metrics.json'), session, trained, options.split, outcomes, retrieval);
  await writePredictions(
    join(options.run, 'predictions.jsonl'),
    session.dataset,
    predictionsOf(options, outcomes),
  );
  if (options.profile) console.log(profileTable(await device.profile()));
  console.log(`wrote ${join(options.run, 'metrics.json')} and predictions.jsonl`);
  device.destroy();
}

/** What takes part; the last contest has the system that answers. */
interface Contests {
  contests: Contest[];
  trained: Trained;
}

async function openContests(session: Session, { run: folder, split, mean }: Options): Promise<Contests> {
  const trained = await loadTrained(session, folder);
  const { experts, dsmip } = trained;
  const tables = await splitFeatures(session, experts, split);
  const kinds = (dsmip?.experts ?? experts).map(({ kind }) => kind);
  const contests = [expertContest(session, experts, split, tables, mean ? kinds : [])];
  if (dsmip) contests.push(await dsmipContest(session, dsmip, split, tables));
  return { contests, trained };
}

async function openIndexed(session: Session, { run: folder, split }: Options): Promise<Contests> {
  const chosen = await answering(session, folder, 'mentions');
  const entities = await openIndex(session, folder, chosen);
  const { head } = entities;
  console.log(`index: ${head.dtype}, ${head.bytesPerEntity} bytes an entity`);
  return {
    contests: [await indexContest(session, chosen, split, entities)],
    trained: { experts: [...chosen.experts], dsmip: chosen.dsmip },
  };
}

/** By the last system of the last contest: DSMIP, the mean, or the strongest expert there is. */
function predictionsOf({ split }: Options, outcomes: readonly Outcome[]): Predictions {
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
