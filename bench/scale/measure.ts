// Measures one part of the work on one knowledge base, in a process of its own so that memory is its own too:
//   node bench/scale/measure.ts --part index|rank|retrieve --data DIR --clip DIR --run DIR [--systems text,dsmip]
// Prints what it found as one line of JSON. proof.ts runs it; alone it is for profiling.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Split } from '../../data/dataset.ts';
import { profileTable } from '../../engine/device/profiler.ts';
import { type Device, openDevice } from '../../engine/device.ts';
import { indexTask } from '../../eval/ranking-task.ts';
import { buildRunIndex, openRunIndex } from '../../link/entity-index.ts';
import { type LinkingModel, loadLinkingModel } from '../../link/linking-model.ts';
import { openSession, type Session } from '../../link/session.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { type IndexDtype, indexDtypes } from '../../ranking/index/format.ts';
import { metricsOf } from '../../ranking/metrics.ts';
import { partsOf, retrievalScorer } from '../../ranking/mixture.ts';
import { ranksAmongAll, recall, retrieve } from '../../ranking/retrieval.ts';
import { rankMentions, type ScoringPass } from '../../ranking/scoring-pass.ts';
import { count, on, oneOf, parseFlags, reportError, text } from './flags.ts';
import { makeRandomRun } from './random-run.ts';

const FLAGS = {
  data: text('', 'folder of the data set'),
  clip: text('', "folder of the CLIP, in Hugging Face's layout"),
  run: text('runs/default', 'folder of the results'),
  profile: on('print where the time went, by kernel'),
  part: oneOf(['index', 'rank', 'retrieve'], 'rank', 'what to measure'),
  systems: text('dsmip', 'who ranks: experts alone or dsmip, separated by commas'),
  experts: text('text,visual,multimodal', "of a run that does not exist yet: the gate's choices"),
  dtype: oneOf(indexDtypes, 'int8' as IndexDtype, 'of an index that is built'),
  candidates: count(100, 'for --part retrieve', 1),
};
type Options = NonNullable<ReturnType<typeof parseFlags<typeof FLAGS>>>;

const split: Split = 'test';

try {
  const options = parseFlags('usage: node bench/scale/measure.ts [flags]', FLAGS, process.argv.slice(2));
  if (options) await main(options);
} catch (error) {
  process.exitCode = reportError(error);
}

async function main(options: Options): Promise<void> {
  const device = await openDevice({ profile: options.profile });
  const opening = watch(device);
  const session = await openSession({ ...options, cache: '', device });
  if (!existsSync(join(options.run, 'gate', 'best.safetensors'))) {
    await makeRandomRun(session, options.run, options.experts.split(',') as ExpertKind[]);
  }
  const model = await loadLinkingModel(session, options.run);
  const opened = opening.stop();
  const entities = session.corpus.entities.tokens;
  const tokens = entities.lengths.reduce((sum, n) => sum + n, 0) / entities.count;
  const parts = { index, rank, retrieve: propose };
  const found = await parts[options.part as keyof typeof parts](session, model, options);
  console.log(JSON.stringify({ part: options.part, entities: entities.count, tokens, opened, ...found }));
  if (options.profile) console.log(profileTable(await device.profile()));
  device.destroy();
}

async function index(session: Session, model: LinkingModel, { run: folder, dtype }: Options) {
  const watching = watch(session.device);
  const { head, kept } = await buildRunIndex(session, folder, model, { dtype, shard: 4096 });
  return { built: watching.stop(), kept, dtype, bytesPerEntity: head.bytesPerEntity };
}

/** Each system's pass through all entities. */
async function rank(session: Session, model: LinkingModel, { run: folder, systems }: Options) {
  const entities = await openRunIndex(session, folder, model);
  const { pass } = await indexTask(session, model, split, entities);
  const found: Record<string, object> = {};
  for (const name of systems.split(',')) {
    const system = partsOf(model.scorer).find((part) => part.name === name) ?? model.scorer;
    const own = { ...pass, systems: [system], top: 5 };
    const warming = watch(session.device);
    await rankMentions(firstEntities(own, Math.min(512, entities.count)));
    const firstUse = warming.stop().cpuSeconds;
    const watching = watch(session.device);
    const { systems, pairs } = await rankMentions(own);
    const work = watching.stop();
    const { mr } = metricsOf(systems[system.name]!.ranks);
    found[name] = { ...work, firstUse, pairs: pairs.ranked, computed: pairs.computed, mr };
  }
  await entities.close();
  return { dtype: entities.head.dtype, bytesPerEntity: entities.head.bytesPerEntity, systems: found };
}

/** The pass through the first `count` entities only, for kernels' first uses. */
function firstEntities(pass: ScoringPass, count: number): ScoringPass {
  return {
    ...pass,
    entities: { ...pass.entities, count },
    gold: pass.gold!.map((gold) => gold % count),
  };
}

/** Dense retrieval and the scores of its candidates. */
async function propose(session: Session, model: LinkingModel, { run: folder, candidates: N }: Options) {
  const entities = await openRunIndex(session, folder, model);
  const { pass } = await indexTask(session, model, split, entities);
  const retrieving = watch(session.device);
  const candidates = await retrieve(retrievalScorer(pass.systems)!, pass.mentions, entities, N);
  const retrieved = retrieving.stop();
  const scoring = watch(session.device);
  const { systems, pairs } = await rankMentions({ ...pass, candidates });
  const { gold } = pass;
  const { mr } = metricsOf(
    ranksAmongAll(systems[model.scorer.name]!.ranks, candidates, gold, entities.count),
  );
  const scored = { ...scoring.stop(), pairs: pairs.ranked, computed: pairs.computed, mr };
  await entities.close();
  return { candidates: N, recall: recall(candidates, gold), retrieved, scored };
}

/** What some work takes: seconds on the clock, seconds of CPU, peaks of memory in bytes and what there was before. */
function watch(device: Device) {
  const resident = () => process.memoryUsage.rss();
  const [start, cpu, before] = [performance.now(), process.cpuUsage(), resident()];
  device.resetPeak();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, resident());
  }, 50);
  return {
    stop() {
      clearInterval(timer);
      const { user, system } = process.cpuUsage(cpu);
      return {
        seconds: (performance.now() - start) / 1000,
        cpuSeconds: (user + system) / 1e6,
        residentBefore: before,
        residentPeak: Math.max(peak, resident()),
        devicePeak: device.counters.peakBytes,
      };
    },
  };
}
