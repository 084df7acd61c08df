// `npm start`: trains the three experts and the gate, ranks a split's mentions against the whole knowledge
// base, prints the results beside the paper's and writes a report. Each stage is a command of its own,
// printed before it runs.
//   node eval/start.ts [--seed 2] [--run runs/b] [--resume] [--help]

import { join } from 'node:path';
import { expertKinds } from '../model/dsmip/experts.ts';
import { isBadInput } from '../train/bad-input.ts';
import { count, on, oneOf, parseFlags, real, reportError } from '../train/flags.ts';
import { type Preset, type PresetName, presetOf } from '../train/presets.ts';
import { commonFlags } from '../train/run-flags.ts';
import { reportStage, trainingStages } from './pipeline.ts';
import { readResults, resultTable } from './results.ts';
import { durationLines, runStages } from './stages.ts';
import { typed } from './typed-flags.ts';

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const flags = flagsOf(name, preset);
  const options = parseFlags('usage: npm start -- [flags]', flags, args);
  if (options) process.exitCode = await main(options, typed(flags, options));
} catch (error) {
  reportError(error, isBadInput);
}

/** Those of the commands that make sense for all of them; a single stage knows more. */
function flagsOf(name: PresetName, preset: Preset) {
  return {
    ...commonFlags(name, preset),
    seed: count(1, 'of everything random'),
    epochs: count(0, "of each stage; 0: the preset's"),
    batch: count(preset.batch, 'mentions a batch', 2),
    'train-fraction': real(1, 'part of the training mentions to use, from 0 to 1'),
    split: oneOf(['dev', 'test'], 'test' as 'dev' | 'test', 'what to evaluate on'),
    resume: on('go on where an interrupted start was'),
  };
}

type Options = { run: string; split: string; resume: boolean };

/** Gives the exit code. */
async function main({ run, split, resume }: Options, given: ReturnType<typeof typed>): Promise<number> {
  const all = given(['preset', 'data']);
  const stages = trainingStages({
    run,
    experts: expertKinds,
    hasGate: true,
    split,
    all,
    compute: given(['clip', 'cache', 'profile']),
    training: given(['seed', 'epochs', 'batch', 'train-fraction']),
    expert: {},
    gate: [],
  });
  const { code, seconds } = await runStages(run, [...stages, reportStage({ run, all })], resume);
  if (code !== 0) {
    console.error('the same command with --resume goes on from there');
    return code;
  }
  const results = await readResults(join(run, 'metrics.json'));
  console.log(`\n${results.split}: ${results.mentions} mentions against ${results.entities} entities`);
  console.log(`\n${resultTable(results).join('\n')}\n\n${durationLines(seconds).join('\n')}`);
  console.log(`\nopen ${join(run, 'report.html')}`);
  return 0;
}
