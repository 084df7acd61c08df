// dsmip report: a run as one page for a browser.

import { writeReport } from '../../eval/write-report.ts';
import { reportSchema } from '../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { print } from '../output.ts';

export const reportCommand: ConfigCommand<typeof reportSchema, never> = {
  name: 'report',
  summary: "Makes RUN/report.html: figures beside the paper's, curves, the gate's choices, twenty mentions.",
  schema: reportSchema,
  base: ({ data, run }) => ({ data, run }),
  examples: ['dsmip report --run runs/default'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(reportCommand, args);
  if (!parsed) return;
  const { file, bytes } = await writeReport(parsed.config);
  print(`wrote ${file}, ${Math.ceil(bytes / 1024)} KiB`);
}
