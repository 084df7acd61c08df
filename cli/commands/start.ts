// dsmip start, `npm start`: trains the three experts and the gate, calibrates their scores, ranks a split's mentions against
// the whole knowledge base, writes a report, builds the index that linking needs and prints the results beside the paper's.

import { join } from 'node:path';
import { profileTable } from '../../engine/device/profiler.ts';
import { indexStage, reportStage, trainingStages } from '../../eval/pipeline.ts';
import { readResults, resultTable } from '../../eval/results.ts';
import { durationLines } from '../../eval/stages.ts';
import { type ExpertKind, expertKinds } from '../../model/dsmip/experts.ts';
import { startSchema } from '../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { ExitError } from '../errors.ts';
import { profileFlag } from '../open-work.ts';
import { print, printError } from '../output.ts';
import { StageRunner } from '../run-stages.ts';
import { openRunStaging } from '../run-staging.ts';

const startCommand: ConfigCommand<typeof startSchema, 'resume' | 'isolate' | 'profile'> = {
  name: 'start',
  summary:
    'Trains the experts and the gate, evaluates on a split, writes RUN/report.html and builds RUN/index, which linking ' +
    'needs. A finished run is replaced once the new one is finished.',
  schema: startSchema,
  base: ({ data, clip, run, cache, expert }) => {
    const { batchSize } = expert.training;
    return { data, clip, run, cache, training: { batchSize } };
  },
  plain: {
    resume: { flags: '--resume', help: 'go on where an interrupted start was' },
    isolate: { flags: '--isolate', help: 'a process for each stage instead of one for all' },
    profile: profileFlag,
  },
  examples: ['npm start -- --seed 2 --run runs/second', 'dsmip start --epochs 1 --train-fraction 0.1'],
};

/** Fields that both trainings are told where they are given. */
const shared = [
  'training.seed',
  'training.epochs',
  'training.batchSize',
  'training.trainFraction',
  'training.kinds',
];

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(startCommand, args);
  if (!parsed) return;
  const { config, given, plain } = parsed;
  const { data, clip, cache, evaluation } = config;
  const preset = { ...parsed.preset, data, clip, cache };
  const training = Object.fromEntries(
    [...given].filter(
      ([path, value]) => shared.includes(path) && !(path === 'training.epochs' && value === 0),
    ),
  );
  const stagesIn = (run: string) => {
    const pipeline = {
      preset,
      run,
      experts: inOrder(preset.gate.experts),
      hasGate: true,
      calibrates: true,
      split: evaluation.split,
    };
    return [...trainingStages({ ...pipeline, training, expert: {}, gate: {} }), reportStage(pipeline)];
  };
  const begun = performance.now();
  const runner = new StageRunner(config, parsed, plain.isolate === true);
  // Before anything is written: what is missing shows now.
  const files = stagesIn(config.run.folder).flatMap(({ writes }) => writes);
  await runner.open(plain.profile === true);
  const staging = await openRunStaging(config.run.folder, files, plain.resume === true);
  try {
    const options = { resume: plain.resume === true, together: true };
    const seconds = await runner.run(staging.folder, stagesIn(staging.folder), options);
    await staging.finish();
    // Where the run stays: an index says where its run is. What else was finished is known by now.
    const index = indexStage({ preset, run: config.run.folder });
    Object.assign(seconds, await runner.run(config.run.folder, [index], { resume: true, together: false }));
    const session = await runner.session();
    if (plain.profile && session) print(profileTable(await session.device.profile()));
    await showResults(config.run.folder, seconds, (performance.now() - begun) / 1000);
  } catch (error) {
    if (error instanceof ExitError) printError('the same command with --resume goes on from there');
    throw error;
  } finally {
    await runner.close();
    await staging.release();
  }
}

/** Those that the gate waits for first, the costliest of them before the others. */
function inOrder(chosen: readonly ExpertKind[]): ExpertKind[] {
  const waitedFor = (kind: ExpertKind) => Number(chosen.includes(kind));
  return expertKinds.toReversed().sort((a, b) => waitedFor(b) - waitedFor(a));
}

async function showResults(
  folder: string,
  seconds: { readonly [name: string]: number },
  all: number,
): Promise<void> {
  const results = await readResults(join(folder, 'metrics.json'));
  print(`\n${results.split}: ${results.mentions} mentions against ${results.entities} entities`);
  print(`\n${resultTable(results).join('\n')}\n\n${durationLines(seconds, all).join('\n')}`);
  print(`\nopen ${join(folder, 'report.html')}`);
}
