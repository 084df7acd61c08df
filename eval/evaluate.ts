// Ranks every mention of a split against the whole knowledge base, by each expert of a run alone and by DSMIP, and
// writes RUN/metrics.json:   node eval/evaluate.ts --run runs/default [--split test] [--help]

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDevice } from '../engine/device.ts';
import { add, scale } from '../engine/ops/elementwise.ts';
import { profileTable } from '../engine/profiler.ts';
import { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type ExpertKind, expertKinds } from '../model/experts.ts';
import { isBadInput } from '../train/bad-input.ts';
import { loadParameters, readAbout } from '../train/checkpoint.ts';
import { Dsmip, type DsmipShape, pretrained } from '../train/dsmip-model.ts';
import type { Expert } from '../train/expert-model.ts';
import { complain, on, oneOf, parseFlags, UsageError } from '../train/flags.ts';
import { presetOf } from '../train/presets.ts';
import { openRun, type Run } from '../train/run.ts';
import { type CommonOptions, commonFlags } from '../train/run-flags.ts';
import { byLength } from '../train/samples.ts';
import { writeFileAtomically } from '../weights/atomic-file.ts';
import { WeightsError } from '../weights/errors.ts';
import { dsmipTables, evaluateDsmip } from './dsmip-split.ts';
import { forScoredMentions, type Metrics, metricsOf, rankOf } from './rank.ts';
import { lastingFeatures, rankSplit, type SplitTables, splitTables, tableScores } from './split.ts';

type Options = CommonOptions & { split: 'train' | 'dev' | 'test'; mean: boolean };

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const flags = {
    ...commonFlags(name, preset),
    split: oneOf(['train', 'dev', 'test'], 'test' as Options['split'], 'whose mentions'),
    mean: on("also the plain mean of the experts' scores"),
  };
  const options = parseFlags('usage: node eval/evaluate.ts [flags]', flags, args);
  if (options) await main(options);
} catch (error) {
  complain(error, isBadInput);
}

async function main(options: Options): Promise<void> {
  const { run: folder, split } = options;
  const kinds = expertKinds.filter((kind) => existsSync(join(folder, kind, 'best.safetensors')));
  if (kinds.length === 0) {
    throw new UsageError(`${folder}: no EXPERT/best.safetensors; train an expert there first`);
  }
  const device = await openDevice({ profile: options.profile });
  const run = await openRun(device, options);
  console.log(`${device.description}\n${run.description}`);
  const systems: Record<string, Metrics> = {};
  const seconds: Record<string, number> = {};
  const parameters: Record<string, number> = {};
  const timed = async <T>(system: string, work: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await work();
    seconds[system] = (performance.now() - start) / 1000;
    return result;
  };

  const experts = await pretrained(run, folder, kinds);
  for (const expert of experts) {
    const { kind } = expert;
    systems[kind] = await timed(kind, async () =>
      metricsOf(await rankSplit(run, expert, split, lastingFeatures(run, expert))),
    );
    parameters[kind] = sizeOf(expert.trained);
    show(kind, systems[kind]);
  }
  const gateFile = join(folder, 'gate', 'best.safetensors');
  const gated = existsSync(gateFile) ? await readAbout(gateFile) : null;
  const gateKinds = gated ? String(gated.settings['experts']).split(',') : kinds;
  if (options.mean) {
    const averaged = experts.filter(({ kind }) => gateKinds.includes(kind));
    systems['mean'] = await timed('mean', () => meanMetrics(run, averaged, split));
    show('mean', systems['mean']);
  }
  let gate: unknown = null;
  if (gated) {
    const dsmip = await loadDsmip(run, folder, gateKinds, gateFile);
    const result = await timed('dsmip', async () =>
      evaluateDsmip(run, dsmip, split, await dsmipTables(run, dsmip, split)),
    );
    systems['dsmip'] = result.metrics;
    gate = { by: dsmip.by, experts: gateKinds, picked: result.picked };
    parameters['gate'] = sizeOf(dsmip.gate);
    show('dsmip', result.metrics);
  }
  const mentions = run.corpus.answers[split].length;
  const entities = run.corpus.entities.tokens.count;
  const found = { split, mentions, entities, systems, gate, parameters, seconds, device: device.description };
  const path = join(folder, 'metrics.json');
  await writeFileAtomically(path, (append) =>
    append(new TextEncoder().encode(`${JSON.stringify(found, null, 2)}\n`)),
  );
  for (const line of run.features.source.takeProblems(options.data)) console.error(line);
  if (options.profile) console.log(profileTable(await device.profile()));
  console.log(`wrote ${path}`);
  device.destroy();
}

/** The gate of a run with the scoring units that stage 2 made. Throws WeightsError. */
async function loadDsmip(run: Run, folder: string, kinds: readonly string[], file: string): Promise<Dsmip> {
  const { settings } = await readAbout(file);
  if (settings['inputs'] !== run.inputs) {
    throw new WeightsError(`${file}: was trained on another data set or CLIP than --data and --clip name`);
  }
  const experts = await pretrained(run, folder, kinds);
  const dsmip = await Dsmip.create(run, experts, settings as unknown as DsmipShape, new Random(0));
  await loadParameters(file, new Map([...dsmip.units, ...dsmip.gate]));
  return dsmip;
}

/** The metrics of the mean of the experts' scores. */
async function meanMetrics(run: Run, experts: readonly Expert[], split: Options['split']): Promise<Metrics> {
  const tables: SplitTables[] = [];
  for (const expert of experts)
    tables.push(await splitTables(run, expert, split, lastingFeatures(run, expert)));
  const answers = run.corpus.answers[split];
  const ranks: number[] = [];
  await forScoredMentions(
    run.device,
    byLength(run.corpus.mentions[split].tokens),
    byLength(run.corpus.entities.tokens),
    (mentions, entities): Tensor => {
      const scores = experts.map((expert, i) => tableScores(expert, tables[i]!, mentions, entities));
      return scale(scores.reduce(add), 1 / experts.length);
    },
    (mention, scores) => {
      ranks[mention] = rankOf(scores, answers[mention]!);
    },
  );
  return metricsOf(ranks);
}

function sizeOf(tensors: ReadonlyMap<string, Tensor>): number {
  return [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
}

function show(system: ExpertKind | 'mean' | 'dsmip', metrics: Metrics): void {
  const values = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  console.log(`${system.padEnd(11)} ${values.join('  ')}`);
}
