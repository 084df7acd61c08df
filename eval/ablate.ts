// The paper's ablations (Table 2), trainable parameters (Table 3) and low-resource setting on a preset's
// data, over several seeds. What is finished is kept in RUN/ablations.json; the same command goes on after an
// interruption.
//   node eval/ablate.ts [--seeds 1,2,3] [--only full,no-prompts,finetune,low-resource] [--list] [--help]

import { isBadInput } from '../train/bad-input.ts';
import { count, on, oneOf, parseFlags, real, reportError, text } from '../train/flags.ts';
import { type Preset, type PresetName, presetOf } from '../train/presets.ts';
import { commonFlags } from '../train/run-flags.ts';
import { listAblations, runAblations } from './ablation/ablations.ts';
import { ablationRows } from './ablation/cells.ts';
import { chosenOf, seedsOf } from './ablation/lists.ts';
import { ablationTables } from './ablation/tables.ts';
import { typed } from './typed-flags.ts';

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const flags = flagsOf(name, preset);
  const options = parseFlags('usage: node eval/ablate.ts [flags]', flags, args);
  if (options) process.exitCode = await main(preset, options, typed(flags, options));
} catch (error) {
  reportError(error, isBadInput);
}

function flagsOf(name: PresetName, preset: Preset) {
  return {
    ...commonFlags(name, preset),
    run: text('runs/ablations', 'folder of the results'),
    seeds: text('1,2,3', 'of everything random, separated by commas'),
    only: text(ablationRows.join(','), 'rows to run, separated by commas'),
    split: oneOf(['dev', 'test'], 'dev' as 'dev' | 'test', 'what to evaluate on'),
    fraction: real(0.1, 'part of the training mentions of the low-resource row, from 0 to 1'),
    epochs: count(0, "of each stage; 0: the preset's"),
    batch: count(preset.batch, 'mentions a batch', 2),
    'gate-image': oneOf(['clip', 'vgg'], preset.gate.image, "the gate's image feature"),
    vgg: text('weights/vgg16.safetensors', "VGG16's weights, for --gate-image vgg"),
    list: on('print the commands and stop'),
  };
}

type Options = { run: string; seeds: string; only: string; split: string; fraction: number; list: boolean };

/** Gives the exit code. */
async function main(
  { experts }: Preset,
  options: Options,
  given: (names: readonly string[]) => string[],
): Promise<number> {
  const { run, split, fraction } = options;
  const seeds = seedsOf(options.seeds);
  const ablations = {
    run,
    rows: chosenOf('only', options.only, ablationRows),
    seeds,
    split,
    experts,
    fraction,
    all: given(['preset', 'data']),
    compute: given(['clip', 'cache']),
    training: given(['epochs', 'batch']),
    gate: given(['gate-image', 'vgg']),
  };
  if (options.list) {
    console.log((await listAblations(ablations)).join('\n'));
    return 0;
  }
  const { code, cells } = await runAblations(ablations);
  if (code === 0) console.log(ablationTables(cells, seeds).join('\n'));
  else console.error('the same command goes on from there');
  return code;
}
