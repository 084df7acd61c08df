// Ranks every mention of a split against the whole knowledge base, by each expert of a run alone and by DSMIP.
//   node eval/evaluate.ts --run runs/default [--split test] [--mean] [--help]
// Writes RUN/metrics.json and RUN/predictions.jsonl.

import { join } from 'node:path';
import { openDevice } from '../engine/device.ts';
import { profileTable } from '../engine/profiler.ts';
import type { Tensor } from '../engine/tensor.ts';
import { isBadInput } from '../train/bad-input.ts';
import { complain, count, on, oneOf, parseFlags, UsageError } from '../train/flags.ts';
import { presetOf } from '../train/presets.ts';
import { openRun, type Run } from '../train/run.ts';
import { type CommonOptions, commonFlags } from '../train/run-flags.ts';
import { writeFileAtomically } from '../weights/atomic-file.ts';
import { answering } from './answering.ts';
import { type Contest, dsmipContest, expertContest, indexContest, splitFeatures } from './contest.ts';
import { percents, pickedBy } from './dsmip-split.ts';
import { openIndex } from './index-source.ts';
import { partProgress } from './part-progress.ts';
import { type Predictions, writePredictions } from './predictions.ts';
import { type Metrics, metricsOf } from './rank.ts';
import { type Candidates, ranksAmongAll, recall, retrieve } from './retrieval.ts';
import { type PassResult, rankMentions } from './scoring-pass.ts';
import { globalExpert } from './sources.ts';
import { pick } from './tile.ts';
import { loadTrained, type Trained } from './trained.ts';

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
  complain(error, isBadInput);
}

async function main(options: Options): Promise<void> {
  const device = await openDevice({ profile: options.profile });
  const run = await openRun(device, options);
  console.log(`${device.description}\n${run.description}`);
  const { contests, trained } = options.index
    ? await openIndexed(run, options)
    : await openContests(run, options);
  const retrieval = options.candidates > 0 ? await propose(contests.at(-1)!, options.candidates) : null;
  const outcomes: Outcome[] = [];
  for (const contest of contests) {
    const answers = contest === contests.at(-1);
    outcomes.push(await hold(contest, answers ? shown : 0, retrieval?.candidates));
  }
  for (const line of run.features.source.takeProblems(options.data)) console.error(line);

  await writeResults(join(options.run, 'metrics.json'), run, trained, options, outcomes, retrieval);
  await writePredictions(
    join(options.run, 'predictions.jsonl'),
    run.dataset,
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

async function openContests(run: Run, { run: folder, split, mean }: Options): Promise<Contests> {
  const trained = await loadTrained(run, folder);
  const { experts, dsmip } = trained;
  const tables = await splitFeatures(run, experts, split);
  const kinds = (dsmip?.experts ?? experts).map(({ kind }) => kind);
  const contests = [expertContest(run, experts, split, tables, mean ? kinds : [])];
  if (dsmip) contests.push(await dsmipContest(run, dsmip, split, tables));
  return { contests, trained };
}

async function openIndexed(run: Run, { run: folder, split }: Options): Promise<Contests> {
  const chosen = await answering(run, folder, 'mentions');
  const entities = await openIndex(run, folder, chosen);
  const { head } = entities;
  console.log(`index: ${head.dtype}, ${head.bytesPerEntity} bytes an entity`);
  return {
    contests: [await indexContest(run, chosen, split, entities)],
    trained: { experts: [...chosen.experts], dsmip: chosen.dsmip },
  };
}

/** A contest and how it came out. */
interface Outcome {
  contest: Contest;
  result: PassResult;
  metrics: Record<string, Metrics>;
  seconds: number;
}

/** Candidates by the last contest's experts, and how good they are. */
interface Retrieval {
  candidates: Candidates;
  /** The expert whose texts were compared. */
  by: string;
  /** Percent of mentions whose answer was proposed. */
  recall: number;
  seconds: number;
}

async function propose({ pass }: Contest, count: number): Promise<Retrieval> {
  const { device, mentions, entities, kinds, golds } = pass;
  const by = kinds[globalExpert(kinds)];
  if (by === undefined) throw new UsageError('--candidates: the visual expert alone has no texts to compare');
  const start = performance.now();
  const candidates = await retrieve(device, mentions, entities, count);
  const seconds = (performance.now() - start) / 1000;
  const found = recall(candidates, golds!);
  console.log(`recall@${candidates.count} ${found.toFixed(2)} by the ${by} expert's texts`);
  return { candidates, by, recall: found, seconds };
}

async function hold(contest: Contest, top: number, candidates?: Candidates): Promise<Outcome> {
  const { pass } = contest;
  const start = performance.now();
  const result = await rankMentions({
    ...pass,
    top,
    ...(candidates ? { candidates } : {}),
    progress: partProgress('scoring'),
  });
  const seconds = (performance.now() - start) / 1000;
  const metrics: Record<string, Metrics> = {};
  for (const { name } of pass.systems) {
    const system = result.systems[name]!;
    if (candidates) {
      system.ranks = ranksAmongAll(system.ranks, candidates, pass.golds!, pass.entities.count);
    }
    metrics[name] = metricsOf(system.ranks);
    const values = Object.entries(metrics[name]).map(([of, value]) => `${of} ${value.toFixed(2)}`);
    console.log(`${name.padEnd(11)} ${values.join('  ')}`);
  }
  console.log(`${result.pairs.ranked} pairs in ${seconds.toFixed(1)} s`);
  return { contest, result, metrics, seconds };
}

async function writeResults(
  path: string,
  { corpus, device }: Run,
  { experts, dsmip }: Trained,
  { split }: Options,
  outcomes: readonly Outcome[],
  retrieval: Retrieval | null,
): Promise<void> {
  const parameters: Record<string, number> = {};
  for (const { kind, trained } of experts) parameters[kind] = sizeOf(trained);
  if (dsmip) parameters['gate'] = sizeOf(dsmip.gate);
  const results = {
    split,
    mentions: corpus.answers[split].length,
    entities: corpus.entities.tokens.count,
    systems: Object.assign({}, ...outcomes.map(({ metrics }) => metrics)) as Record<string, Metrics>,
    gate: gateOf(corpus, split, outcomes),
    ...(retrieval
      ? { candidates: { count: retrieval.candidates.count, recall: retrieval.recall, by: retrieval.by } }
      : {}),
    parameters,
    seconds: Object.fromEntries(outcomes.map(({ contest, seconds }) => [contest.name, seconds])),
    pairs: Object.fromEntries(
      outcomes.map(({ contest, result }) => [contest.name, pairsOf(contest, result)]),
    ),
    device: device.description,
  };
  const text = `${JSON.stringify(results, null, 2)}\n`;
  await writeFileAtomically(path, (append) => append(new TextEncoder().encode(text)));
}

/** What the gate picked, in percent: of all pairs, without images, of mentions with their answers. */
function gateOf(corpus: Run['corpus'], split: Options['split'], outcomes: readonly Outcome[]) {
  const outcome = outcomes.find(({ contest }) => contest.dsmip !== null);
  if (!outcome) return null;
  const { pass, dsmip } = outcome.contest;
  const golds = kindCounts(pass.kinds.length, corpus.answers[split], (mention, entity) =>
    pick(pass, mention, entity),
  );
  const gold = percents(pass.kinds, golds);
  const picked = { ...pickedBy(corpus, split, pass.kinds, outcome.result), gold };
  return { by: dsmip!.by, experts: pass.kinds, picked };
}

function kindCounts(kinds: number, golds: Int32Array, pickOf: (mention: number, gold: number) => number) {
  const counts = new Array<number>(kinds).fill(0);
  golds.forEach((gold, mention) => {
    counts[pickOf(mention, gold)]!++;
  });
  return counts;
}

/** Pairs that were ranked, and for how many of them each expert was asked. */
function pairsOf({ pass }: Contest, { pairs }: PassResult) {
  return {
    ranked: pairs.ranked,
    computed: Object.fromEntries(pass.kinds.map((kind, i) => [kind, pairs.computed[i]!])),
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

function sizeOf(tensors: ReadonlyMap<string, Tensor>): number {
  return [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
}
