// dsmip evaluate: how well a run does on a split.

import { evaluate } from '../../eval/evaluate.ts';
import { readResults, resultTable } from '../../eval/results.ts';
import { workConfigOf } from '../../train/config/presets.ts';
import { evaluationSchema } from '../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { closeWork, describeSession, openWork, profileFlag } from '../open-work.ts';
import { print } from '../output.ts';
import { showWork } from '../show-work.ts';

export const evaluateCommand: ConfigCommand<typeof evaluationSchema, 'profile'> = {
  name: 'evaluate',
  summary:
    "Ranks a split's mentions against the whole knowledge base; writes RUN/metrics.json and RUN/predictions.jsonl.",
  schema: evaluationSchema,
  base: (preset) => workConfigOf(preset, 'evaluation'),
  plain: { profile: profileFlag },
  examples: ['dsmip evaluate --run runs/default --split dev --mean'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(evaluateCommand, args);
  if (!parsed) return;
  const profile = parsed.plain.profile === true;
  const session = await openWork(parsed.config, { profile });
  describeSession(session);
  const { metrics, predictions } = await evaluate(parsed.config, session, showWork());
  const results = await readResults(metrics);
  print(`${results.split}: ${results.mentions} mentions against ${results.entities} entities`);
  print(`\n${resultTable(results).join('\n')}\n`);
  print(`wrote ${metrics} and ${predictions}`);
  await closeWork(session, profile);
}
