// Runs the paper's experiments on one of its data sets: both stages with the data set's preset, evaluation on
// test, the ablations and the low-resource setting, a report, and the figures beside the paper's. After an
// interruption the same command goes on.
//   node eval/reproduce.ts wikimel --data DIR --weights DIR [--vgg FILE] [--list] [--help]

import { join } from 'node:path';
import { UsageError } from '../files/errors.ts';
import { isBadInput } from '../train/bad-input.ts';
import { on, parseFlags, reportError, text } from '../train/flags.ts';
import { type PresetName, presets } from '../train/presets.ts';
import { listAblations, runAblations } from './ablation/ablations.ts';
import { type AblationOptions, ablationRows, cellName } from './ablation/cells.ts';
import { chosenOf, seedsOf } from './ablation/lists.ts';
import { ablationTables } from './ablation/tables.ts';
import { table1 } from './paper.ts';
import { reportStage } from './pipeline.ts';
import { cells, metricColumns, type Results } from './results.ts';
import { commandLine, runStage } from './stages.ts';
import { textTable } from './text-table.ts';

/** The paper's data sets by the presets' names. */
const papers = { wikimel: 'WikiMEL', richpediamel: 'RichpediaMEL', wikidiverse: 'WikiDiverse' } as const;
type Paper = keyof typeof papers;

try {
  const args = process.argv.slice(2);
  const name = args[0]?.startsWith('-') === false ? args.shift()! : '';
  const flags = {
    data: text('', 'folder of the data set'),
    weights: text('', "folder of CLIP ViT-B/32, in Hugging Face's layout"),
    vgg: text('', "VGG16's weights with torchvision's names; without, the gate sees CLIP's mean image token"),
    run: text('', 'folder of the results; runs/NAME by itself'),
    seeds: text('1', 'of everything random, separated by commas'),
    only: text(ablationRows.join(','), 'rows to run, separated by commas; full is DSMIP itself'),
    cache: text('.cache/features', "folder of frozen encoders' features; '' keeps none"),
    list: on('print the commands and stop'),
  };
  const names = Object.keys(papers).join('|');
  const usage = `usage: node eval/reproduce.ts ${names} --data DIR --weights DIR [flags]`;
  const options = parseFlags(usage, flags, args);
  if (options) process.exitCode = await main(name, options);
} catch (error) {
  reportError(error, isBadInput);
}

type Options = Record<'data' | 'weights' | 'vgg' | 'run' | 'seeds' | 'only' | 'cache', string> & {
  list: boolean;
};

/** Gives the exit code. */
async function main(name: string, options: Options): Promise<number> {
  if (!(name in papers)) {
    throw new UsageError(
      `'${name}': expected one of ${Object.keys(papers).join(', ')} as the first argument`,
    );
  }
  for (const flag of ['data', 'weights'] as const) {
    if (options[flag] === '') throw new UsageError(`--${flag}: expected a folder (--help lists the flags)`);
  }
  const ablations = ablationsOf(name as Paper, options);
  const { run, seeds, all } = ablations;
  const main = join(run, cellName('full', seeds[0]!));
  const report = reportStage({ run: main, all });
  if (options.list) {
    console.log([...(await listAblations(ablations)), commandLine(report)].join('\n'));
    return 0;
  }
  if (options.vgg === '')
    console.log("no --vgg: the gate's image feature is CLIP's mean token, not the paper's VGG16");
  const { code, cells: found } = await runAblations(ablations);
  if (code !== 0) {
    console.error('the same command goes on from there');
    return code;
  }
  console.log(ablationTables(found, seeds).join('\n'));
  const full = found[cellName('full', seeds[0]!)];
  if (!full) return 0;
  const reported = await runStage(report);
  console.log(`\n${comparison(name as Paper, full).join('\n')}`);
  return reported;
}

function ablationsOf(name: Paper, options: Options): AblationOptions {
  const cache = options.cache === '.cache/features' ? [] : ['--cache', options.cache];
  return {
    run: options.run === '' ? join('runs', name) : options.run,
    rows: chosenOf('only', options.only, ablationRows),
    seeds: seedsOf(options.seeds),
    split: 'test',
    experts: presets[name satisfies PresetName].experts,
    fraction: 0.1,
    all: ['--preset', name, '--data', options.data],
    compute: ['--clip', options.weights, ...cache],
    training: [],
    gate: options.vgg === '' ? ['--gate-image', 'clip'] : ['--gate-image', 'vgg', '--vgg', options.vgg],
  };
}

/** DSMIP here, in the paper, and the difference. */
function comparison(name: Paper, { systems }: Results): string[] {
  const [ours, theirs] = [systems['dsmip']!, table1[papers[name]].DSMIP];
  const difference = metricColumns.map(([metric]) => {
    const their = (theirs as Partial<Record<string, number>>)[metric];
    if (their === undefined) return '-';
    const value = ours[metric] - their;
    return `${value > 0 ? '+' : ''}${value.toFixed(2)}`;
  });
  return textTable([
    [`DSMIP on ${papers[name]}, test`, ...metricColumns.map(([, title]) => title)],
    ['here', ...cells(ours)],
    ['the paper', ...cells(theirs)],
    ['difference', ...difference],
  ]);
}
