// dsmip ablate: the paper's ablations (Table 2), trainable parameters (Table 3) and low-resource setting on a preset's data,
// over several seeds. What is finished is kept in RUN/ablations.json; the same command goes on after an interruption.

import { ablationSchema } from '../../eval/ablation/ablation-schema.ts';
import { ablationTables } from '../../eval/ablation/tables.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { print } from '../output.ts';
import { ablationLines, fillAblations } from '../run-ablations.ts';
import { StageRunner } from '../run-stages.ts';

const ablateCommand: ConfigCommand<typeof ablationSchema, 'list' | 'isolate'> = {
  name: 'ablate',
  summary: "Runs the paper's ablations and low-resource setting over several seeds.",
  schema: ablationSchema,
  base: ({ data, clip, cache, gate, expert }) => ({
    data,
    clip,
    cache,
    run: { folder: 'runs/ablations' },
    gate: { image: gate.image, vgg: gate.vgg },
    training: { batchSize: expert.training.batchSize },
  }),
  plain: {
    list: { flags: '--list', help: 'print the commands and stop' },
    isolate: { flags: '--isolate', help: 'a process for each stage instead of one for all' },
  },
  examples: ['dsmip ablate --seeds 1,2,3 --only full,no-prompts'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(ablateCommand, args);
  if (!parsed) return;
  const { config, given, plain } = parsed;
  const { data, clip, cache, ablation } = config;
  const overrides = (paths: readonly string[]) =>
    Object.fromEntries([...given].filter(([path, value]) => paths.includes(path) && value !== 0));
  const options = {
    ...ablation,
    preset: { ...parsed.preset, data, clip, cache },
    run: config.run.folder,
    split: config.evaluation.split,
    training: overrides(['training.epochs', 'training.batchSize']),
    gate: overrides(['gate.image', 'gate.vgg']),
  };
  if (plain.list) {
    print((await ablationLines(options, parsed)).join('\n'));
    return;
  }
  const runner = new StageRunner(config, parsed, plain.isolate === true);
  try {
    const cells = await fillAblations(options, runner);
    print(ablationTables(cells, ablation.seeds).join('\n'));
  } finally {
    await runner.close();
  }
}
