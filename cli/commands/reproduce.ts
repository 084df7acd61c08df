// dsmip reproduce: the paper's experiments on one of its data sets: both stages with the data set's preset, evaluation on
// test, the ablations and the low-resource setting, a report, and the figures beside the paper's. After an interruption the
// same command goes on.

import { join } from 'node:path';
import { ablationSchema } from '../../eval/ablation/ablation-schema.ts';
import { type AblationOptions, cellName } from '../../eval/ablation/cells.ts';
import { ablationTables } from '../../eval/ablation/tables.ts';
import { table1 } from '../../eval/paper.ts';
import { reportStage } from '../../eval/pipeline.ts';
import { cells, metricColumns, type Results } from '../../eval/results.ts';
import { textTable } from '../../eval/text-table.ts';
import { writeReport } from '../../eval/write-report.ts';
import { UsageError } from '../../files/errors.ts';
import type { Metrics } from '../../ranking/metrics.ts';
import { checkConfig } from '../../train/config/check.ts';
import { readPreset } from '../../train/config/presets.ts';
import { parsePlain } from '../config-flags.ts';
import { print } from '../output.ts';
import { ablationLines, fillAblations } from '../run-ablations.ts';
import { StageRunner } from '../run-stages.ts';
import { commandLine } from '../stage-commands.ts';

/** The paper's data sets by the presets' names. */
const papers = { wikimel: 'WikiMEL', richpediamel: 'RichpediaMEL', wikidiverse: 'WikiDiverse' } as const;
type Paper = keyof typeof papers;

const names = Object.keys(papers) as Paper[];

export async function run(args: readonly string[]): Promise<void> {
  const parsed = parsePlain(
    {
      name: 'reproduce',
      summary: "Runs the paper's experiments on one of its data sets.",
      argument: { name: 'NAME', help: names.join(' | ') },
      plain: {
        data: { flags: '--data <folder>', help: 'the data set', value: '' },
        weights: {
          flags: '--weights <folder>',
          help: "CLIP ViT-B/32, in Hugging Face's layout",
          value: '',
        },
        vgg: {
          flags: '--vgg <file>',
          help: "VGG16's weights with torchvision's names; without, the gate sees CLIP's mean image token",
          value: '',
        },
        run: { flags: '--run <folder>', help: 'results; runs/NAME by itself', value: '' },
        seeds: { flags: '--seeds <list>', help: 'seeds, separated by commas; a run each', value: '1' },
        only: {
          flags: '--only <list>',
          help: 'rows to fill, separated by commas; full is DSMIP itself',
          value: 'full,no-prompts,finetune,low-resource',
        },
        cache: {
          flags: '--cache <folder>',
          help: "frozen encoders' features; '' keeps none",
          value: '.cache/features',
        },
        list: { flags: '--list', help: 'print the commands and stop' },
        isolate: { flags: '--isolate', help: 'a process for each stage instead of one for all' },
      },
      examples: ['dsmip reproduce wikimel --data DIR --weights DIR'],
    },
    args,
  );
  if (!parsed) return;
  const name = names.find((known) => known === parsed.argument);
  if (!name) {
    throw new UsageError(`'${parsed.argument ?? ''}': expected one of ${names.join(', ')} as the argument`);
  }
  const { list, isolate, ...texts } = parsed.plain;
  for (const flag of ['data', 'weights'] as const) {
    if (texts[flag] === '') throw new UsageError(`--${flag}: expected a folder (--help lists the flags)`);
  }
  await reproduce(name, texts as Texts, list === true, isolate === true);
}

type Texts = Readonly<Record<'data' | 'weights' | 'vgg' | 'run' | 'seeds' | 'only' | 'cache', string>>;

async function reproduce(name: Paper, texts: Texts, isList: boolean, isIsolated: boolean): Promise<void> {
  const options = await ablationsOf(name, texts);
  const { preset, run, seeds } = options;
  const source = { preset: await readPreset(name), presetFlags: ['--preset', name] };
  const main = join(run, cellName('full', seeds[0]!));
  const report = reportStage({ preset, run: main });
  if (isList) {
    const lines = await ablationLines(options, source);
    print([...lines, commandLine(report.work, source)].join('\n'));
    return;
  }
  if (texts.vgg === '')
    print("no --vgg: the gate's image feature is CLIP's mean token, not the paper's VGG16");
  const runner = new StageRunner(preset, source, isIsolated);
  try {
    const found = await fillAblations(options, runner);
    print(ablationTables(found, seeds).join('\n'));
    const full = found[cellName('full', seeds[0]!)];
    if (!full) return;
    const { file } = await writeReport({ data: preset.data, run: { folder: main } });
    print(`\n${comparison(name, full).join('\n')}\n\nopen ${file}`);
  } finally {
    await runner.close();
  }
}

async function ablationsOf(name: Paper, texts: Texts): Promise<AblationOptions> {
  const preset = await readPreset(name);
  const split = 'test' as const;
  const list = (text: string) => text.split(',').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  const config = checkConfig(ablationSchema, {
    data: { folder: texts.data },
    clip: { folder: texts.weights },
    cache: { folder: texts.cache },
    run: { folder: texts.run === '' ? join('runs', name) : texts.run },
    gate: texts.vgg === '' ? { image: 'clip' } : { image: 'vgg', vgg: texts.vgg },
    training: { batchSize: preset.expert.training.batchSize },
    ablation: { seeds: list(texts.seeds), rows: list(texts.only) },
    evaluation: { split },
  });
  const { data, clip, cache, run, gate, ablation } = config;
  return {
    ...ablation,
    preset: { ...preset, data, clip, cache },
    run: run.folder,
    split,
    training: {},
    gate: { 'gate.image': gate.image, ...(texts.vgg === '' ? {} : { 'gate.vgg': gate.vgg }) },
  };
}

/** DSMIP here, in the paper, and the difference. */
function comparison(name: Paper, { systems }: Results): string[] {
  const [ours, theirs] = [systems['dsmip']!, table1[papers[name]].DSMIP];
  const difference = metricColumns.map(([metric]) => {
    const their = (theirs as Partial<Metrics>)[metric];
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
